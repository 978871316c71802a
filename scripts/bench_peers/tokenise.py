"""Tokenising all texts of nfcorpus, whole, on one core: retort beside Hugging Face's tokenizers; equal ids.

    python tokenise.py tokenizers SCRATCH      a side (rounds.py)
"""
import sys
from pathlib import Path

import numpy as np

import inputs
from rounds import Entry, Side
from serve import serve


def tokenizers_side(scratch):
    tok = inputs.tokenizer(scratch / "model")
    texts = (scratch / "nfcorpus.documents").read_text().splitlines()
    return {"whole": lambda: tok.encode_batch(texts), "fast": lambda: tok.encode_batch_fast(texts)}


def save(encodings, path):
    np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings]).tofile(path)


def entries(scratch, command):
    inputs.model(scratch)
    documents, _ = inputs.collection(scratch, "nfcorpus", inputs.SHARED / "datasets/nfcorpus.tar.gz")
    if not documents:
        return []
    megabytes = documents.stat().st_size / 1e6
    retort = Side([inputs.PROGRAM, "tokenise", scratch / "model", documents], scratch / "tokenise-retort.log")
    theirs = Side([sys.executable, __file__, "tokenizers", scratch], scratch / "tokenise-tokenizers.log")
    out = [Entry("tokenise", "retort", "-", "", retort, "tokenise", megabytes, "MB/s", cores=1)]
    for setting, name in (("encode_batch", "whole"), ("encode_batch_fast", "fast")):
        out.append(Entry("tokenise", "tokenizers", "-", setting, theirs, name, megabytes, "MB/s", cores=1))
    return out


def check(scratch, found):
    (retort, path), *others = found["tokenise"]
    ids = np.fromfile(path, np.int32)
    for entry, path in others:
        theirs = np.fromfile(path, np.int32)
        equal = len(ids) > 0 and np.array_equal(ids, theirs)
        entry.agrees(equal, f"{len(theirs)} ids, {'all equal' if equal else 'not the same'}")


if __name__ == "__main__":
    serve(tokenizers_side(Path(sys.argv[2])), save)
