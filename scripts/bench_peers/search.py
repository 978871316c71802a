"""Exact search of a million vectors of 128 dimensions, the nearest 100: retort beside faiss.

    python search.py CORES SCRATCH             a side (rounds.py)
"""
import os
import sys
from pathlib import Path

import numpy as np

import inputs
from rounds import THREADS, Entry, Side
from serve import serve

COUNT, DIM, K, QUERIES, ALONE = 1_000_000, 128, 100, 256, 16
TOLERANCE = 1e-5  # of a score, at most 1
HIT = np.dtype([("row", np.uint64), ("score", np.float64)])


def unit_vectors(count, seed):
    values = np.random.default_rng(seed).standard_normal((count, DIM), np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def make_vectors(scratch):
    vectors, queries = scratch / "vectors", scratch / "queries"
    if not queries.exists():
        unit_vectors(COUNT, 1).tofile(vectors)
        unit_vectors(QUERIES, 2).tofile(queries)
    return vectors, queries


def read(path):
    return np.fromfile(path, np.float32).reshape(-1, DIM)


def faiss_side(cores, scratch):
    """A flat index searches one query on one core alone; one of parts gives each core a part."""
    import faiss

    faiss.omp_set_num_threads(cores)
    vectors, queries = read(scratch / "vectors"), read(scratch / "queries")
    indexes = {"flat": faiss.IndexFlatIP(DIM)}
    indexes["flat"].add(vectors)
    if cores > 1:
        indexes["parts"] = faiss.IndexShards(DIM, True, True)
        for part in np.array_split(vectors, cores):
            shard = faiss.IndexFlatIP(DIM)
            shard.add(part)
            shard.this.disown()
            indexes["parts"].add_shard(shard)
    calls = {}
    for name, index in indexes.items():
        def one(index=index):
            found = [index.search(query[None], K) for query in queries[:ALONE]]
            return tuple(np.concatenate(values) for values in zip(*found))

        calls[f"{name}/one"] = one
        calls[f"{name}/many"] = lambda index=index: index.search(queries, K)
    return calls


def save(found, path):
    scores, rows = found
    hits = np.empty(rows.shape, HIT)
    hits["row"], hits["score"] = rows, scores
    hits.tofile(path)


# faiss' OpenBLAS is of 2021 and does not know every processor; it is tried as it is, and told the newest kernels.
KERNELS = {"its own": {}, "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX"}}


def entries(scratch, command):
    vectors, queries = make_vectors(scratch)
    out = []
    for cores in (1, THREADS):
        retort = Side([inputs.PROGRAM, "search", vectors, queries, DIM, K, cores],
                      scratch / f"search-retort-{cores}.log")
        theirs = {kernels: Side([sys.executable, __file__, cores, scratch], scratch / f"search-faiss-{cores}.log",
                                environment) for kernels, environment in KERNELS.items()}
        for name, queries_of in (("one", ALONE), ("many", QUERIES)):
            work = f"search-{name}" + (f"-{cores}-core" if cores < THREADS else "")
            out.append(Entry(work, "retort", "f32", "", retort, name, queries_of, "queries/s", cores))
            for kernels, side in theirs.items():
                for index in ["flat", "parts"][:cores]:
                    if name == "many" or kernels == "its own":
                        out.append(Entry(work, "faiss", "f32", f"{index}, BLAS kernels: {kernels}", side,
                                         f"{index}/{name}", queries_of, "queries/s", cores))
    return out


def check(scratch, found):
    """Every hit of one side that the other has not scores, recomputed, no less than the other's last."""
    vectors, queries = np.memmap(scratch / "vectors", np.float32).reshape(-1, DIM), read(scratch / "queries")
    for results in found.values():
        hits = [(entry, np.fromfile(path, HIT).reshape(-1, K)) for entry, path in results]
        (_, own), *others = hits
        for entry, theirs in others:
            off = 0.0
            for query, a, b in zip(queries.astype(float), own, theirs):
                exact = {row: float(vectors[row].astype(float) @ query) for row in {*a["row"], *b["row"]}}
                off = max(off, *(abs(exact[row] - score) for row, score in [*a, *b]))
                a_last, b_last = (min(exact[row] for row in side["row"]) for side in (a, b))
                off = max(off, abs(a_last - b_last), *(abs(a["score"] - b["score"])))
            entry.agrees(off <= TOLERANCE, f"{len(own)} queries' hits and scores within {off:.1e}")


if __name__ == "__main__":
    serve(faiss_side(int(sys.argv[1]), Path(sys.argv[2])), save)
