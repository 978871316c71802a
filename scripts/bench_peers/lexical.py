"""BM25: retort beside bm25s, texts to an index, and queries' texts to the first 100 documents.

The same tokens (words in small letters, none left out), k1, b and Lucene's idf on both sides; bm25s' scores lack the
factor k1 + 1, which changes no ranking.

    python lexical.py COLLECTION SCRATCH       a side (rounds.py)
"""
import subprocess
import sys
from pathlib import Path

import numpy as np

import inputs
from rounds import THREADS, Entry, Side, wanted
from search import HIT
from serve import serve

K, K1, B = 100, 0.9, 0.4
TOLERANCE = 1e-4  # of the best score
GENERATOR = Path("scripts/zipf_collection.py")
WORDS = r"(?u)\b\w+\b"


def nfcorpus(scratch):
    return inputs.SHARED / "datasets/nfcorpus.tar.gz"


def zipf(scratch):
    """A million documents whose words are as often as words are."""
    folder = scratch / "zipf"
    if not folder.exists() and GENERATOR.exists():
        subprocess.run([sys.executable, GENERATOR, folder.with_suffix(".new")], check=True)
        folder.with_suffix(".new").rename(folder)
    return folder


# Name, source, and whether building it takes so long that once must be enough.
COLLECTIONS = [("nfcorpus", nfcorpus, False), ("zipf-1m", zipf, True)]
QUERY_SETTINGS = {"numba": ("numba", 0), "numba-threads": ("numba", THREADS), "numpy": ("numpy", 0),
                  "numpy-threads": ("numpy", THREADS)}


def bm25s_side(name, scratch):
    import bm25s

    documents = (scratch / f"{name}.documents.ascii").read_text().splitlines()
    queries = (scratch / f"{name}.queries").read_text().splitlines()
    indexes = {}

    def warm_up():
        """numba compiles what is called for the first time."""
        index = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numba")
        index.index(tokens_of(documents[:K]), show_progress=False)
        for threads in (0, THREADS):
            index.retrieve(tokens_of(queries[:K]), k=K, show_progress=False, n_threads=threads)

    def tokens_of(texts):
        return bm25s.tokenize(texts, stopwords=None, token_pattern=WORDS, show_progress=False)

    def build(matrix):
        indexes["built"] = bm25s.BM25(k1=K1, b=B, method="lucene", csc_backend=matrix)
        indexes["built"].index(tokens_of(documents), show_progress=False)

    def query(backend, threads):
        index = indexes["built"]
        index.backend = backend
        if backend == "numba":
            index.activate_numba_scorer()
        return index.retrieve(tokens_of(queries), k=K, show_progress=False, n_threads=threads,
                              backend_selection="numba" if backend == "numba" else "auto")

    warm_up()
    calls = {f"build-{matrix}": lambda matrix=matrix: build(matrix) for matrix in ("numpy", "scipy")}
    for setting, (backend, threads) in QUERY_SETTINGS.items():
        calls[f"query-{setting}"] = lambda backend=backend, threads=threads: query(backend, threads)
    return calls


def save(found, path):
    if found is None:
        return
    rows, scores = found
    hits = np.empty(rows.shape, HIT)
    hits["row"], hits["score"] = rows, scores * (K1 + 1)
    hits.tofile(path)


def entries(scratch, command):
    out = []
    for name, source, slow in COLLECTIONS:
        if not wanted(f"bm25-build-{name}") and not wanted(f"bm25-query-{name}"):
            continue
        documents, queries = inputs.collection(scratch, name, source(scratch))
        if not documents:
            continue
        documents = inputs.ascii_only(documents)
        count, asked = (sum(1 for _ in open(path)) for path in (documents, queries))
        retort = Side([inputs.PROGRAM, "bm25", documents, queries, K, THREADS], scratch / f"bm25-retort-{name}.log")
        theirs = Side([sys.executable, __file__, name, scratch], scratch / f"bm25-bm25s-{name}.log")
        work = f"bm25-build-{name}"
        out.append(Entry(work, "retort", "-", "", retort, "build", count, "docs/s", once=slow))
        for matrix in ["scipy"] if slow else ["numpy", "scipy"]:
            out.append(Entry(work, "bm25s", "-", f"{matrix} matrix", theirs, f"build-{matrix}", count, "docs/s",
                             once=slow))
        work = f"bm25-query-{name}"
        out.append(Entry(work, "retort", "-", "", retort, "query", asked, "queries/s"))
        for setting in QUERY_SETTINGS:
            out.append(Entry(work, "bm25s", "-", setting, theirs, f"query-{setting}", asked, "queries/s"))
    return out


def check(scratch, found):
    """Rank by rank the same score; a document that only one side has is among equals at the end."""
    for work, results in found.items():
        if "query" not in work:
            continue
        (_, path), *others = results
        own = np.fromfile(path, HIT).reshape(-1, K)
        for entry, path in others:
            theirs, off = np.fromfile(path, HIT).reshape(-1, K), 0.0
            for a, b in zip(own, theirs):
                best = max(a["score"].max(), 1e-9)
                scores = {row: score for row, score in a if score > 0}
                last = a["score"][-1]
                off = max(off, abs(a["score"] - b["score"]).max() / best)
                off = max(off, *(abs(scores.get(row, last) - score) / best for row, score in b))
            entry.agrees(off <= TOLERANCE, f"{len(own)} queries' hits and scores within {off:.1e}")


if __name__ == "__main__":
    serve(bm25s_side(sys.argv[1], Path(sys.argv[2])), save)
