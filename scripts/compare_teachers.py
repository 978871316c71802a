"""Cross-encoders beside each other, as re-rankers: a Markdown table, nDCG@10 on test splits, or on others.

    python3 scripts/compare_teachers.py [--split test] [--depth 50] [--encoder MODEL] TEACHER... --on COLLECTION...

Every teacher re-ranks the first documents that BM25 finds and, with --encoder, those that this dual encoder finds;
their own rankings stand beside.  A query that nothing is found for counts as 0.  Intervals are of 95 %, by bootstrap
over queries; differences are the first teacher's less the others', paired.  Scores are kept in build/teachers/, so
that a stopped call goes on.  From the project's root; $RETORT is the program (./retort).
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import experiments
from results import bootstrap, markdown, words


def retort(*arguments, out=None):
    subprocess.run([experiments.RETORT, *map(str, arguments)], check=True, stdout=out)


def or_say_why(main):
    """Runs it; where a file is not what it should be, one sentence and status 1."""
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    except subprocess.CalledProcessError:  # retort has said why
        sys.exit(1)


def to_file(path, *arguments):
    """What a command prints, whole or not at all; nothing is done where the file is there."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    with open(part, "w") as file:
        retort(*arguments, out=file)
    part.rename(path)


def first_stage(folder, collection, queries, encoder, depth):
    """The run of BM25, or of the encoder."""
    name = Path(encoder).name if encoder else "bm25"
    index = folder / f"{name}.index"
    if not index.exists():
        retort("index", "--quiet", *(["--model", encoder] if encoder else ["--bm25"]), "--output", index, collection)
    run = queries.with_name(f"{name}-{depth}.trec")
    to_file(run, "search", "--quiet", "--index", index, "--top", depth, queries)
    return name, run


def rows_of(collection, call):
    judged = experiments.qrels(collection, call.split)
    name = Path(collection).name.removesuffix(".tar.gz")
    folder = Path("build/teachers") / name
    of_split = folder / call.split
    of_split.mkdir(parents=True, exist_ok=True)
    judgements = experiments.write_judgements(of_split / "judgements.tsv", judged)
    queries = of_split / "queries.tsv"
    texts = (json.loads(line) for line in experiments.member(collection, "queries.jsonl").decode().splitlines() if line)
    queries.write_text("".join(f"{row['_id']}\t{' '.join(row['text'].split())}\n" for row in texts
                               if str(row["_id"]) in judged))
    for encoder in [None] + ([call.encoder] if call.encoder else []):
        first, run = first_stage(folder, collection, queries, encoder, call.depth)
        found = []
        for teacher in call.teachers:
            tag = "-".join(Path(teacher).resolve().parts[-2:])
            reranked = of_split / f"{first}-{call.depth}-{tag}-{call.max_length}.trec"
            to_file(reranked, "rerank", "--teacher", teacher, "--max-length", call.max_length, "--depth", call.depth,
                    "--cache", folder / "scores.cache", "--queries", queries, collection, run)
            found.append(experiments.per_query(judged, judgements, reranked))
        less = [bootstrap([a - b for a, b in zip(found[0], other)]) for other in found[1:]]
        alone = experiments.per_query(judged, judgements, run)
        yield [name, len(judged), first, words(bootstrap(alone)),
               *(words(bootstrap(values)) for values in found), *(words(value, True) for value in less)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="test")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--encoder")
    parser.add_argument("teachers", nargs="+", metavar="TEACHER")
    parser.add_argument("--on", nargs="+", required=True, metavar="COLLECTION")
    call = parser.parse_args()
    head = ["collection", "queries", "first stage", "alone", *call.teachers,
            *(f"first less {Path(teacher).name}" for teacher in call.teachers[1:])]
    print("\n".join(markdown(head, [row for collection in call.on for row in rows_of(collection, call)])))


if __name__ == "__main__":
    or_say_why(main)
