"""Pairs per second of training a cross-encoder: retort teach against PyTorch bf16, the same weights, pairs, steps and
loss, one after the other in each of several rounds, the best round of each.

    python scripts/bench_teach.py        from the project's root, in the environment of scripts/venv.sh
    ROUNDS=3 STEPS=12 python scripts/bench_teach.py [MODEL COLLECTION.tar.gz]

PyTorch gets the better of two ways: a step as one padded batch, or in four sorted by length, whose gradients add up.
"""
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

PROGRAM = os.environ.get("RETORT", "./retort")
SHARED = os.environ.get("RETORT_SHARED", "../shared")
ROUNDS, STEPS = int(os.environ.get("ROUNDS", "3")), int(os.environ.get("STEPS", "12"))
LISTS, DOCUMENTS, LENGTH, THREADS = 16, 8, 192, 2
JOB = """
data: {collection: COLLECTION}
threads: THREADS
precision: bf16
teacher: {model: teach, max_length: LENGTH}
teach:
  init: MODEL
  pairs: PAIRS
  negatives_per_query: OTHERS
  batch_queries: LISTS
  epochs: 1
  evaluations_per_epoch: 1
  dropout: 0.1
  loss: {softmax: 0, mse: 1}
"""


def texts(archive, name):
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith(name))
        for line in io.TextIOWrapper(tar.extractfile(member), "utf-8"):
            row = json.loads(line)
            yield " ".join(f"{row.get('title', '')} {row['text']}".split())


def make_pairs(archive):
    """Lists of one query and some documents, with scores that mean nothing: only the time is looked at."""
    documents, lists = list(texts(archive, "corpus.jsonl")), []
    for q, query in enumerate(texts(archive, "queries.jsonl")):
        if len(lists) == STEPS * LISTS:
            break
        lists.append((query, [documents[(31 * q + 977 * d) % len(documents)] for d in range(DOCUMENTS)]))
    return lists


def retort_rate(folder, job):
    out = os.path.join(folder, "run")
    subprocess.run(["rm", "-rf", out], check=True)
    call = [PROGRAM, "teach", job, "--output", out]
    said = subprocess.run(call, check=True, stderr=subprocess.PIPE, text=True).stderr
    rate = re.search(r"teach: \d+ steps in .*, ([0-9.]+)/s", said)
    return float(rate.group(1)) * LISTS * DOCUMENTS


def torch_step(model, optimizer, batches):
    optimizer.zero_grad()
    for inputs, target in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**inputs).logits.squeeze(1)
        (((logits.float() - target) ** 2).sum() / (LISTS * DOCUMENTS)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def torch_rate(model_folder, lists, parts):
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, num_labels=1).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    pairs = [(query, document) for query, documents in lists for document in documents]
    size, began = LISTS * DOCUMENTS, 0.0
    for step in range(-2, STEPS):  # two to warm up
        if step == 0:
            began = time.perf_counter()
        some = pairs[max(step, 0) * size:][:size]
        ids = tokenizer([q for q, _ in some], [d for _, d in some], truncation=True, max_length=LENGTH)
        order = sorted(range(size), key=lambda i: len(ids["input_ids"][i]))
        batches = []
        for part in range(parts):
            chosen = order[part * size // parts:(part + 1) * size // parts]
            inputs = tokenizer.pad({key: [ids[key][i] for i in chosen] for key in ids}, return_tensors="pt")
            batches.append((inputs, torch.zeros(len(chosen))))
        torch_step(model, optimizer, batches)
    return STEPS * size / (time.perf_counter() - began)


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else os.path.join(SHARED, "models/all-MiniLM-L6-v2")
    archive = sys.argv[2] if len(sys.argv) > 2 else os.path.join(SHARED, "datasets/nfcorpus.tar.gz")
    if not os.path.isdir(model) or not os.path.isfile(archive):
        print(f"SKIPPED: {model} or {archive} is absent")
        return 77
    torch.set_num_threads(THREADS)
    lists = make_pairs(archive)
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        pairs, job = os.path.join(folder, "pairs"), os.path.join(folder, "job.yaml")
        os.mkdir(pairs)
        for split, some in (("train", lists), ("dev", lists[:1])):
            with open(os.path.join(pairs, f"{split}.tsv"), "w") as file:
                for query, documents in some:
                    file.writelines(f"{d}\t{query}\t{text}\n" for d, text in enumerate(documents))
        words = {"COLLECTION": archive, "THREADS": THREADS, "LENGTH": LENGTH, "MODEL": model, "PAIRS": pairs,
                 "OTHERS": DOCUMENTS - 1, "LISTS": LISTS}
        text = JOB
        for word, value in words.items():
            text = text.replace(word, os.path.abspath(value) if isinstance(value, str) else str(value))
        with open(job, "w") as file:
            file.write(text)
        for _ in range(ROUNDS):
            for name, rate in (("retort", lambda: retort_rate(folder, job)),
                               ("PyTorch bf16, one batch a step", lambda: torch_rate(model, lists, 1)),
                               ("PyTorch bf16, four batches sorted by length", lambda: torch_rate(model, lists, 4))):
                found = rate()
                best[name] = max(best.get(name, 0), found)
                print(f"{found:8.1f} pairs/s         {name}", file=sys.stderr, flush=True)
    for name, rate in best.items():
        print(f"{rate:8.1f} pairs/s  {best['retort'] / rate:5.2f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
