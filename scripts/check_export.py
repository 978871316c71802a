"""Exported folders against sentence-transformers: they load there, have the chosen layers and dims, and give the
embeddings that retort gives, within 1e-4 cosine distance; and retort's embeddings of a published model equal its own.

    python scripts/check_export.py        from the project's root, in the environment of scripts/venv.sh
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from sentence_transformers import SentenceTransformer

PROGRAM = os.environ.get("RETORT", "./retort")
SHARED = os.environ.get("RETORT_SHARED", "../shared")
TEXTS = [
    "a text",
    "The quick brown fox jumps over the lazy dog.",
    "Crème brûlée: naïve façade, Straße, İstanbul",
    "漢字とカナ, 한국어, العربية",
    "p53-dependent apoptosis (IC50 = 3.2 µM); see https://example.org/a_b?c=d",
    "[CLS] stands literally [SEP] here",
    " ".join(f"word{i}" for i in range(400)),
    "x",
]


def retort(*arguments, stdin=""):
    subprocess.run([PROGRAM, *arguments], input=stdin.encode(), check=True)


def embed(folder, path, *options):
    retort("embed", "--quiet", "--model", folder, "--precision", "f32", "--output", path, *options,
           stdin="\n".join(TEXTS) + "\n")
    return np.load(path)


def distance(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return float((1 - (a * b).sum(1)).max())


def check(source, layers, dim, scratch):
    """Exports (layers, dim) of source and compares three ways."""
    out = os.path.join(scratch, f"{os.path.basename(source)}-l{layers}-d{dim}")
    retort("export", "--quiet", "--model", source, "--layers", str(layers), "--dim", str(dim), "--output", out)
    model = SentenceTransformer(out, device="cpu")
    theirs = model.encode(TEXTS, convert_to_numpy=True)
    ours = embed(out, os.path.join(scratch, "ours.npy"))
    cut = embed(source, os.path.join(scratch, "cut.npy"), "--layers", str(layers), "--dim", str(dim))
    with open(os.path.join(out, "config.json")) as file:
        config = json.load(file)
    assert theirs.shape == ours.shape == (len(TEXTS), dim), (theirs.shape, ours.shape)
    assert len(model[0].auto_model.encoder.layer) == layers
    assert not config["architectures"][0].endswith("Classification"), config["architectures"]
    assert abs(np.linalg.norm(theirs, axis=1) - 1).max() < 1e-5, "not unit length"
    against_theirs, against_cut = distance(ours, theirs), distance(ours, cut)
    print(f"{source}: ({layers}, {dim}) worst cosine distance {against_theirs:.1e} to sentence-transformers, "
          f"{against_cut:.1e} to the source cut")
    return against_theirs <= 1e-4 and against_cut <= 1e-5


def main():
    passed = True
    with tempfile.TemporaryDirectory() as scratch:
        small = "tests/golden/cross_encoder"
        if os.path.isdir(small):
            passed &= check(small, 1, 8, scratch)
        published = os.path.join(SHARED, "models/all-MiniLM-L6-v2")
        if os.path.isdir(published):
            for layers, dim in [(6, 384), (3, 128), (1, 32)]:
                passed &= check(published, layers, dim, scratch)
            theirs = SentenceTransformer(published, device="cpu").encode(TEXTS, convert_to_numpy=True)
            worst = distance(embed(published, os.path.join(scratch, "whole.npy")), theirs)
            print(f"{published}: worst cosine distance {worst:.1e} to sentence-transformers")
            passed &= worst <= 1e-5
        else:
            print(f"SKIPPED: {published} is absent")
        student = os.environ.get("RETORT_STUDENT", "runs/scifact/student")
        if os.path.isdir(student):
            passed &= check(student, 3, 128, scratch) and check(student, 2, 64, scratch)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
