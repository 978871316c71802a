"""Puts the vectors of a retort index into SQLite with sqlite-vec, and searches there.

    python vectors_to_sqlite.py load DB INDEX                 INDEX/vectors.npy with the ids of INDEX/ids.txt
    python vectors_to_sqlite.py search DB K IDS QUERIES.npy   the K nearest of each row: a TREC run on standard output

Needs the package sqlite-vec and a Python whose sqlite3 loads extensions (Debian's does, pyenv's does not).
"""
import ast
import sqlite3
import sys

import sqlite_vec


def open_database(path):
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    sqlite_vec.load(db)
    db.enable_load_extension(False)
    return db


def rows(path):
    """The rows of a float32 .npy as bytes, which sqlite-vec takes as they are; first their number of dimensions."""
    with open(path, "rb") as file:
        start = file.read(10)
        assert start[:8] == b"\x93NUMPY\x01\x00", path + " is not what retort writes"
        header = ast.literal_eval(file.read(int.from_bytes(start[8:], "little")).decode())
        assert header["descr"] == "<f4" and not header["fortran_order"], header
        count, dim = header["shape"]
        yield dim
        for _ in range(count):
            yield file.read(4 * dim)


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def load(path, index):
    vectors = rows(index + "/vectors.npy")
    db = open_database(path)
    with db:
        db.execute("CREATE VIRTUAL TABLE documents USING vec0("
                   f"id TEXT PRIMARY KEY, embedding FLOAT[{next(vectors)}] distance_metric=cosine)")
        db.executemany("INSERT INTO documents (id, embedding) VALUES (?, ?)", zip(lines(index + "/ids.txt"), vectors))


def search(path, k, ids, queries):
    vectors = rows(queries)
    db = open_database(path)
    next(vectors)
    for query, vector in zip(lines(ids), vectors):
        found = db.execute("SELECT id, distance FROM documents WHERE embedding MATCH ? AND k = ? ORDER BY distance",
                           (vector, int(k)))
        for rank, (document, distance) in enumerate(found, 1):
            print(query, "Q0", document, rank, 1 - distance, "sqlite-vec")


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"] and len(sys.argv) == 4:
        load(*sys.argv[2:])
    elif sys.argv[1:2] == ["search"] and len(sys.argv) == 6:
        search(*sys.argv[2:])
    else:
        sys.exit(__doc__)
