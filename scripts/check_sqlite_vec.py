"""A retort index in SQLite, by scripts/vectors_to_sqlite.py: sqlite-vec finds the documents that retort search finds.

    python scripts/check_sqlite_vec.py        from the project's root, in the environment of scripts/venv.sh
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("RETORT", "./retort")
SHARED = os.environ.get("RETORT_SHARED", "../shared")
MODEL, COLLECTION = SHARED + "/models/all-MiniLM-L6-v2", SHARED + "/datasets/cranfield.tar.gz"
K, CLOSE = 10, 1e-5


def skip(why):
    print("SKIPPED:", why)
    sys.exit(77)


def run(*command, stdin=""):
    return subprocess.run(command, input=stdin, check=True, text=True, stdout=subprocess.PIPE).stdout


def found(trec):
    """Per query its (score, document), best first."""
    result = {}
    for line in trec.splitlines():
        query, _, document, _, score, _ = line.split()
        result.setdefault(query, []).append((float(score), document))
    return result


def compare(ours, theirs):
    assert ours.keys() == theirs.keys(), "other queries"
    for query in ours:
        a, b = sorted(ours[query], reverse=True), sorted(theirs[query], reverse=True)
        assert len(a) == len(b) == K, (query, len(a), len(b))
        assert all(abs(x[0] - y[0]) < CLOSE for x, y in zip(a, b)), (query, a, b)
        clear = a[-1][0] + CLOSE  # nearer to the last one, either may have been left out
        assert {d for s, d in a if s > clear} <= {d for _, d in b}, (query, a, b)


def main():
    try:
        import sqlite_vec  # noqa: F401
    except ImportError:
        skip("no package sqlite-vec")
    if not hasattr(sqlite3.connect(":memory:"), "enable_load_extension"):
        skip("this Python's sqlite3 loads no extensions")
    if not os.path.exists(MODEL) or not os.path.exists(COLLECTION):
        skip("no " + MODEL + " or " + COLLECTION)
    with tempfile.TemporaryDirectory() as folder:
        model, index, database = folder + "/slim", folder + "/index", folder + "/documents.db"
        run("tar", "-xzf", COLLECTION, "-C", folder)
        with open(folder + "/cranfield/queries.jsonl", encoding="utf-8") as file:
            queries = [json.loads(line) for line in file]
        texts = [" ".join(query["text"].split()) for query in queries]
        run(PROGRAM, "export", "--quiet", "--model", MODEL, "--layers", "3", "--dim", "64", "--output", model)
        run(PROGRAM, "index", "--quiet", "--model", model, "--output", index, COLLECTION)
        run(PROGRAM, "embed", "--quiet", "--model", model, "--output", folder + "/queries.npy",
            stdin="".join(text + "\n" for text in texts))
        with open(folder + "/queries.ids", "w", encoding="utf-8") as file:
            file.writelines(query["_id"] + "\n" for query in queries)
        script = [sys.executable, "scripts/vectors_to_sqlite.py"]
        run(*script, "load", database, index)
        theirs = run(*script, "search", database, str(K), folder + "/queries.ids", folder + "/queries.npy")
        ours = run(PROGRAM, "search", "--quiet", "--index", index, "--top", str(K),
                   stdin="".join(f"{query['_id']}\t{text}\n" for query, text in zip(queries, texts)))
        compare(found(ours), found(theirs))
        print(f"sqlite-vec: the same {K} documents for {len(queries)} queries")


if __name__ == "__main__":
    main()
