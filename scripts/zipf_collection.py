#!/usr/bin/env python3
"""Writes a large collection whose words are as often as words are, to measure lexical search with.

    python3 scripts/zipf_collection.py DIR [--documents 1000000] [--queries 1000] [--seed 13]

DIR gets BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv.  A word of rank r has a probability of about
1 / (r + 2.7) (Zipf-Mandelbrot), of a vocabulary of 400 000; a document has 20 to 100 words, 60 in the mean.  A query is
3 to 6 different words of one document, which is its relevant one.  Needs Python alone; equal options give equal bytes,
whatever the number of cores; a million documents take about a minute on two.
"""
import argparse
import itertools
import json
import multiprocessing
import os
import random

VOCABULARY, SHIFT = 400_000, 2.7
SHORTEST, LONGEST = 20, 100  # words of a document
BLOCK = 5000  # documents that one random sequence makes


def spell(rank):
    """The word of a rank, of one to four syllables: frequent words are short."""
    letters = ""
    while True:
        letters += "bcdfghjklmnprstvwxyz"[rank % 20] + "aeiou"[rank // 20 % 5]
        rank //= 100
        if not rank:
            return letters


WORDS = [spell(rank) for rank in range(VOCABULARY)]
WEIGHTS = list(itertools.accumulate(1 / (rank + 1 + SHIFT) for rank in range(VOCABULARY)))


def documents_of(seed, block, count):
    """The block's documents, as lists of words."""
    draw = random.Random(f"{seed}/{block}")
    lengths = [draw.randint(SHORTEST, LONGEST) for _ in range(count)]
    words = iter(draw.choices(WORDS, cum_weights=WEIGHTS, k=sum(lengths)))
    return [list(itertools.islice(words, length)) for length in lengths]


def corpus_of(task):
    """The block's lines of corpus.jsonl, and its share of the queries as (document, words)."""
    seed, block, count, num_queries = task
    documents = documents_of(seed, block, count)
    first = block * BLOCK
    lines = [f'{{"_id": "d{first + i}", "title": "", "text": "{" ".join(words)}"}}\n' for i, words in
             enumerate(documents)]
    draw = random.Random(f"{seed}/queries/{block}")
    queries = []
    for row in sorted(draw.sample(range(count), num_queries)):
        distinct = sorted(set(documents[row]))
        queries.append((first + row, draw.sample(distinct, min(len(distinct), draw.randint(3, 6)))))
    return "".join(lines), queries


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    blocks = -(-options.documents // BLOCK)
    tasks = []
    for block in range(blocks):
        count = min(BLOCK, options.documents - block * BLOCK)
        share = options.queries * (block + 1) // blocks - options.queries * block // blocks
        tasks.append((options.seed, block, count, min(count, share)))
    os.makedirs(os.path.join(options.folder, "qrels"), exist_ok=True)
    number = 0
    with open(os.path.join(options.folder, "corpus.jsonl"), "w") as corpus, \
            open(os.path.join(options.folder, "queries.jsonl"), "w") as queries, \
            open(os.path.join(options.folder, "qrels", "test.tsv"), "w") as qrels, \
            multiprocessing.Pool() as pool:
        qrels.write("query-id\tcorpus-id\tscore\n")
        for lines, asked in pool.imap(corpus_of, tasks):
            corpus.write(lines)
            for row, words in asked:
                queries.write(json.dumps({"_id": f"q{number}", "text": " ".join(words)}) + "\n")
                qrels.write(f"q{number}\td{row}\t1\n")
                number += 1


if __name__ == "__main__":
    main()
