"""Taught re-rankers against transformers and sentence-transformers: AutoModelForSequenceClassification and CrossEncoder
load the folder that retort teach writes and give the logits that retort score gives, within 1e-4.

    python scripts/check_teacher.py       from the project's root, in the environment of scripts/venv.sh
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

PROGRAM = os.environ.get("RETORT", "./retort")
SHARED = os.environ.get("RETORT_SHARED", "../shared")
JOB = """
data: {collection: COLLECTION}
teacher: {model: teach, max_length: 64}
teach:
  shape: {layers: 2, hidden_size: 64, heads: 4, intermediate_size: 128, positions: 64}
  epochs: 1
  dev_queries: 5
"""
PAIRS = [
    ("who mended the boat in Oatfield", "The sailor repaired the skiff in Oatfield."),
    ("a query", ""),
    ("Crème brûlée: naïve façade", "漢字とカナ, [SEP] stands here"),
    ("long", " ".join(f"word{i}" for i in range(200))),
]


def retort(*arguments, stdin=""):
    return subprocess.run([PROGRAM, *arguments], input=stdin.encode(), check=True, stdout=subprocess.PIPE).stdout


def check(folder):
    lines = "".join(f"{query}\t{document}\n" for query, document in PAIRS)
    ours = np.array([float(line) for line in
                     retort("score", "--quiet", "--precision", "f32", "--teacher", folder, stdin=lines).split()])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = tokenizer([q for q, _ in PAIRS], [d for _, d in PAIRS], padding=True, truncation=True,
                           return_tensors="pt")
        theirs = model(**inputs).logits.squeeze(1).numpy()
    predicted = CrossEncoder(folder, device="cpu").predict(PAIRS)
    one, two = np.abs(ours - theirs).max(), np.abs(ours - predicted).max()
    print(f"{folder}: largest difference of logits {one:.1e} to transformers, {two:.1e} to CrossEncoder.predict")
    return max(one, two) <= 1e-4


def main():
    passed = True
    with tempfile.TemporaryDirectory() as scratch:
        sample, job = os.path.join(scratch, "sample"), os.path.join(scratch, "job.yaml")
        retort("sample", "--quiet", "--documents", "120", sample)
        with open(job, "w") as file:
            file.write(JOB.replace("COLLECTION", sample))

        def teach(name, *settings):
            folder = os.path.join(scratch, name)
            retort("teach", "--quiet", "--precision", "f32", job, "--output", folder,
                   *(word for setting in settings for word in ("--set", setting)))
            return check(os.path.join(folder, "teacher"))

        passed &= teach("new")
        published = os.path.join(SHARED, "models/all-MiniLM-L6-v2")
        if os.path.isdir(published):
            passed &= teach("tuned", f"teach.init={published}", "data.max_train_queries=32")
        else:
            print(f"SKIPPED: {published} is absent")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
