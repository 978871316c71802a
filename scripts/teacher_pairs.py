#!/usr/bin/env python3
"""Scored pairs for teach.pairs, by a cross-encoder and a dual encoder together.

    scripts/teacher_pairs.py [OPTIONS] --teacher DIR --encoder DIR COLLECTION OUTPUT

Of every train and dev query: documents that BM25 and the encoder find, half of each, drawn from the first --depth; one
by chance; a labelled one.  A pair's score is the cross-encoder's logit plus --weight times the encoder's cosine: two
models that err differently order documents better together, and a cross-encoder can learn to be both.  OUTPUT gets
train.tsv and dev.tsv (score, query, document), and what they were made of; a call that was stopped goes on when it is
made again as it was (other options want another OUTPUT).  From the project's root; $RETORT is the program (./retort).
"""
import argparse
import array
import ast
import json
import math
import operator
from pathlib import Path

import experiments
from compare_teachers import first_stage, or_say_why, retort, to_file
from teacher_collection import order


def texts_of(collection, name):
    """{id: a document as retort score reads it, or a query}"""
    rows = map(json.loads, experiments.member(collection, name).decode().splitlines())
    return {row["_id"]: " ".join(f"{row.get('title', '')} {row['text']}".split()) for row in rows}


def ranked(path):
    """{query: [(document, score)]} of a TREC run, in its order."""
    lists = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            query, _, document, _, score, _ = line.split()
            lists.setdefault(query, []).append((document, float(score)))
    return lists


def shuffled(query, documents):
    return sorted(documents, key=lambda document: order(f"{query} {document}"))


def candidates(query, runs, positives, corpus, per_query):
    """Of each run the first document and a few of the others; a positive; one by chance."""
    chosen = []
    for run in runs:
        first, *others = [document for document, _ in run.get(query, [])] or [None]
        chosen += [first, *shuffled(query, others)[:per_query // 2 - 2]] if first else []
    chosen += shuffled(query, positives)[:1]
    chosen.append(corpus[int.from_bytes(order(query)[:8], "little") % len(corpus)])
    return dict.fromkeys(chosen)


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


def write_candidates(path, queries, runs, positives, corpus, per_query):
    with open(path, "w", encoding="utf-8") as file:
        for query in queries:
            for at, document in enumerate(candidates(query, runs, positives[query], corpus, per_query)):
                file.write(f"{query} Q0 {document} {at + 1} {-at} candidates\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True, metavar="DIR")
    parser.add_argument("--encoder", required=True, metavar="DIR")
    parser.add_argument("--weight", type=float, default=10, help="of a cosine beside a logit (10)")
    parser.add_argument("--per-query", type=int, default=12, help="documents (12)")
    parser.add_argument("--depth", type=int, default=30, help="of the lists that they are drawn from (30)")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a pair (256)")
    parser.add_argument("collection", type=Path, help="in BEIR layout")
    parser.add_argument("output", type=Path)
    return parser.parse_args()


def main():
    call = arguments()
    folder, collection = call.output, call.collection
    splits = {split: experiments.qrels(collection, split) for split in ("train", "dev")}
    positives = {query: judged for judgements in splits.values() for query, judged in judgements.items()}
    documents = texts_of(collection, "corpus.jsonl")
    queries = {query: text for query, text in texts_of(collection, "queries.jsonl").items() if query in positives}
    folder.mkdir(parents=True, exist_ok=True)
    asked, found = folder / "queries.tsv", folder / "candidates.trec"
    asked.write_text("".join(f"{query}\t{text}\n" for query, text in queries.items()), encoding="utf-8")
    stages = [first_stage(folder, collection, asked, encoder, call.depth) for encoder in (None, call.encoder)]
    write_candidates(found, queries, [ranked(run) for _, run in stages], positives, list(documents), call.per_query)
    to_file(folder / "scores.trec", "rerank", "--quiet", "--teacher", call.teacher, "--max-length", call.max_length,
            "--cache", folder / "scores.cache", "--queries", asked, collection, found)
    (folder / "queries.txt").write_text("".join(f"{text}\n" for text in queries.values()), encoding="utf-8")
    to_file(folder / "queries.npy", "embed", "--quiet", "--model", call.encoder, folder / "queries.txt")
    index = folder / f"{stages[1][0]}.index"
    of_queries = vectors(folder / "queries.npy", queries)
    of_documents = vectors(index / "vectors.npy", (index / "ids.txt").read_text(encoding="utf-8").splitlines())
    scores = ranked(folder / "scores.trec")
    for split, judgements in splits.items():
        with open(folder / f"{split}.tsv", "w", encoding="utf-8") as file:
            for query in sorted(judgements, key=order):
                for document, logit in scores.get(query, []):
                    score = logit + call.weight * cosine(of_queries[query], of_documents[document])
                    file.write(f"{score:.4f}\t{queries[query]}\t{documents[document]}\n")


if __name__ == "__main__":
    or_say_why(main)
