#!/usr/bin/env python3
"""Scored pairs for teach.pairs, by a cross-encoder and a dual encoder together.

    scripts/teacher_pairs.py [OPTIONS] --teacher DIR --encoder DIR COLLECTION OUTPUT

Of every train and dev query: documents that BM25 and the encoder find, half of each, drawn from the first --depth; one
by chance; a labelled one.  A pair's score is the cross-encoder's logit plus --weight times the encoder's cosine: two
models that err differently order documents better together, and a cross-encoder can learn to be both.  OUTPUT gets
train.tsv and dev.tsv (score, query, document), and what they were made of; a stopped call goes on.  From the project's
root; $RETORT is the program (./retort).
"""
import argparse
import array
import ast
import hashlib
import json
import math
import operator
import os
import pathlib
import subprocess
import sys

RETORT = os.environ.get("RETORT", "./retort")


def to_file(path, *words):
    """What retort prints, whole or not at all; nothing is done where the file is there."""
    if not path.exists():
        part = path.with_suffix(".part")
        with open(part, "w", encoding="utf-8") as file:
            subprocess.run([RETORT, *map(str, words)], check=True, stdout=file)
        part.rename(path)


def order(name):
    return hashlib.sha256(name.encode()).digest()


def one_line(text):
    return " ".join(text.split())


def texts_of(path):
    """{id: a document as retort score reads it, or a query}"""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return {row["_id"]: one_line(f"{row.get('title', '')} {row['text']}") for row in rows}


def judged(path):
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            found.setdefault(query, []).append(document)
    return found


def ranked(path):
    """{query: [(document, score)]} of a TREC run, in its order."""
    lists = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            query, _, document, _, score, _ = line.split()
            lists.setdefault(query, []).append((document, float(score)))
    return lists


def draw(query, documents, count):
    """The first, and others of the list by a hash."""
    return documents[:1] + sorted(documents[1:], key=lambda document: order(f"{query} {document}"))[:count - 1]


def candidates(queries, runs, positives, corpus, per_query):
    for query in queries:
        found = [[document for document, _ in run.get(query, [])] for run in runs]
        chosen = [document for source in found for document in draw(query, source, per_query // 2 - 1)]
        chosen += sorted(positives[query], key=lambda document: order(f"{query} {document}"))[:1]
        chosen.append(corpus[int.from_bytes(order(query)[:8], "little") % len(corpus)])
        yield query, list(dict.fromkeys(chosen))


def vectors(path, ids):
    """{id: its vector}: rows of a .npy file, in the order of ids"""
    with open(path, "rb") as file:
        head = file.read(10)
        shape = ast.literal_eval(file.read(int.from_bytes(head[8:10], "little")).decode())["shape"]
        values = array.array("f", file.read())
    return {i: values[at * shape[1]:(at + 1) * shape[1]] for at, i in enumerate(ids)}


def cosine(u, v):
    def dot(a, b):
        return sum(map(operator.mul, a, b))
    return dot(u, v) / math.sqrt(dot(u, u) * dot(v, v))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, metavar="DIR")
    parser.add_argument("--encoder", required=True, metavar="DIR")
    parser.add_argument("--weight", type=float, default=10, help="of a cosine beside a logit (10)")
    parser.add_argument("--per-query", type=int, default=12, help="documents (12)")
    parser.add_argument("--depth", type=int, default=30, help="of the lists that they are drawn from (30)")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a pair (256)")
    parser.add_argument("collection", type=pathlib.Path, help="a folder in BEIR layout")
    parser.add_argument("output", type=pathlib.Path)
    call = parser.parse_args()
    folder, collection = call.output, call.collection
    folder.mkdir(parents=True, exist_ok=True)
    splits = {split: judged(collection / f"qrels/{split}.tsv") for split in ("train", "dev")}
    positives = {query: documents for judgements in splits.values() for query, documents in judgements.items()}
    queries, documents = texts_of(collection / "queries.jsonl"), texts_of(collection / "corpus.jsonl")
    queries = {query: text for query, text in queries.items() if query in positives}
    asked = folder / "queries.tsv"
    asked.write_text("".join(f"{query}\t{text}\n" for query, text in queries.items()), encoding="utf-8")
    runs = []
    for name, model in ("bm25", ["--bm25"]), ("encoder", ["--model", call.encoder]):
        index = folder / f"{name}.index"
        if not index.exists():
            subprocess.run([RETORT, "index", "--quiet", *model, "--output", index, collection], check=True)
        to_file(folder / f"{name}.trec", "search", "--quiet", "--index", index, "--top", call.depth, asked)
        runs.append(ranked(folder / f"{name}.trec"))
    with open(folder / "candidates.trec", "w", encoding="utf-8") as file:
        for query, found in candidates(queries, runs, positives, list(documents), call.per_query):
            for at, document in enumerate(found):
                file.write(f"{query} Q0 {document} {at + 1} {-at} candidates\n")
    to_file(folder / "scores.trec", "rerank", "--quiet", "--teacher", call.teacher, "--max-length", call.max_length,
            "--cache", folder / "scores.cache", "--queries", asked, collection, folder / "candidates.trec")
    if not (folder / "queries.npy").exists():
        subprocess.run([RETORT, "embed", "--quiet", "--model", call.encoder, "--output", folder / "queries.npy", "-"],
                       input="".join(f"{text}\n" for text in queries.values()), encoding="utf-8", check=True)
    of_queries = vectors(folder / "queries.npy", queries)
    of_documents = vectors(folder / "encoder.index/vectors.npy",
                           (folder / "encoder.index/ids.txt").read_text(encoding="utf-8").splitlines())
    scores = ranked(folder / "scores.trec")
    for split, judgements in splits.items():
        with open(folder / f"{split}.tsv", "w", encoding="utf-8") as file:
            for query in sorted(judgements, key=order):
                for document, logit in scores.get(query, []):
                    score = logit + call.weight * cosine(of_queries[query], of_documents[document])
                    file.write(f"{score:.4f}\t{queries[query]}\t{documents[document]}\n")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    except subprocess.CalledProcessError:  # retort has said why
        sys.exit(1)
