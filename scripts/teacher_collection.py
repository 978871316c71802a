#!/usr/bin/env python3
"""One BEIR collection for configs/teacher.yaml, from the train splits of several.

    scripts/teacher_collection.py ../shared build/teacher-collection

SHARED holds datasets/ and train/ as archives NAME.tar.gz: BEIR collections, and pairs.jsonl of {"query", "positive",
"negative"}.  Ids become NAME/ID.  No test judgement is read.  Dev is a share of each collection that retort is
measured on: its dev split, or train queries by a hash of their ids, which then leave train.  Large sets are cut by the
same hash.
"""

import argparse
import csv
import hashlib
import io
import json
import pathlib
import sys
import tarfile

# Train queries at most, dev queries: of collections with judgements.
COLLECTIONS = {
    "datasets/scifact": (900, 80),
    "datasets/nfcorpus": (2600, 80),
    "datasets/wikiqa": (900, 80),
    "datasets/squad": (4000, 40),
    "train/trecqa": (300, 0),
    "train/pubmedqa": (1000, 0),
}
# Pairs at most.
PAIRS = {
    "train/medquad": 3000,
    "train/covidqa": 1400,
    "train/fairytaleqa": 1500,
    "train/medqa_forum": 1500,
    "train/rqe": 1500,
    "train/mqp": 1200,
    "train/mrpc": 1200,
    "train/oewn_gloss": 1500,
}


def order(name):
    return hashlib.sha256(name.encode()).digest()


def lines(archive, name):
    for member in archive.getmembers():
        if member.name.endswith("/" + name):
            return io.TextIOWrapper(archive.extractfile(member), encoding="utf-8")
    return []


def judgements(archive, split):
    found = {}
    for row in csv.DictReader(lines(archive, f"qrels/{split}.tsv"), delimiter="\t"):
        if int(row["score"]) > 0:
            found.setdefault(row["query-id"], []).append((row["corpus-id"], row["score"]))
    return found


class Writer:
    def __init__(self, folder):
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        self.corpus = open(folder / "corpus.jsonl", "w", encoding="utf-8")
        self.queries = open(folder / "queries.jsonl", "w", encoding="utf-8")
        self.qrels = {}
        for split in ("train", "dev"):
            self.qrels[split] = open(folder / "qrels" / f"{split}.tsv", "w", encoding="utf-8")
            self.qrels[split].write("query-id\tcorpus-id\tscore\n")

    def document(self, name, title, text):
        self.corpus.write(json.dumps({"_id": name, "title": title, "text": text}, ensure_ascii=False) + "\n")

    def query(self, split, name, text, positives):
        self.queries.write(json.dumps({"_id": name, "text": text}, ensure_ascii=False) + "\n")
        for document, grade in positives:
            self.qrels[split].write(f"{name}\t{document}\t{grade}\n")

    def close(self):
        for file in (self.corpus, self.queries, *self.qrels.values()):
            file.close()


def add_collection(writer, path, name, most, wanted_dev):
    with tarfile.open(path) as archive:
        for line in lines(archive, "corpus.jsonl"):
            row = json.loads(line)
            writer.document(f"{name}/{row['_id']}", row.get("title", ""), row["text"])
        texts = {row["_id"]: row["text"] for row in map(json.loads, lines(archive, "queries.jsonl"))}
        train, dev = judgements(archive, "train"), judgements(archive, "dev")
    ids = sorted((i for i in train if i in texts), key=order)
    if not dev:
        dev, ids = {i: train[i] for i in ids[:wanted_dev]}, ids[wanted_dev:]
    chosen = sorted((i for i in dev if i in texts), key=order)[:wanted_dev]
    for split, names, judged in (("train", ids[:most], train), ("dev", chosen, dev)):
        for i in names:
            writer.query(split, f"{name}/{i}", texts[i], [(f"{name}/{d}", grade) for d, grade in judged[i]])
    return len(ids[:most]), len(chosen)


def add_pairs(writer, path, name, most):
    with tarfile.open(path) as archive:
        rows = [json.loads(line) for line in lines(archive, "pairs.jsonl")]
    positives, documents = {}, {}
    for row in rows:
        positives.setdefault(row["query"], []).append(row["positive"])
        for key in ("positive", "negative"):
            if key in row:
                documents.setdefault(row[key], f"{name}/d{len(documents)}")
    queries = sorted(positives, key=order)[:most]
    kept = sorted(documents, key=order)[: 4 * most]  # what negatives are mined from
    for text in dict.fromkeys(kept + [d for q in queries for d in positives[q]]):
        writer.document(documents[text], "", text)
    for at, query in enumerate(queries):
        writer.query("train", f"{name}/q{at}", query, [(documents[d], 1) for d in dict.fromkeys(positives[query])])
    return len(queries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    missing = [n for n in (*COLLECTIONS, *PAIRS) if not (arguments.shared / f"{n}.tar.gz").exists()]
    if missing:
        sys.exit(f"{arguments.shared}: no {', '.join(missing)}")
    writer = Writer(arguments.folder)
    for path, (most, dev) in COLLECTIONS.items():
        name = path.split("/")[1]
        train, chosen = add_collection(writer, arguments.shared / f"{path}.tar.gz", name, most, dev)
        print(f"{name}: {train} train queries, {chosen} dev queries")
    for path, most in PAIRS.items():
        name = path.split("/")[1]
        print(f"{name}: {add_pairs(writer, arguments.shared / f'{path}.tar.gz', name, most)} train queries")
    writer.close()


if __name__ == "__main__":
    main()
