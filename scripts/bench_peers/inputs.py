"""What both sides read: a model's folder, and texts whose numbers of tokens are known.

The model has the weights of all-MiniLM-L6-v2 where ../shared has them, else random ones of that shape, and takes 512
tokens; everything is made once and kept in the folder build/bench_peers.
"""
import json
import os
import re
import sys
import tarfile
from pathlib import Path

import numpy as np

SHARED = Path(os.environ.get("RETORT_SHARED", "../shared"))
ORIGINAL = SHARED / "models/all-MiniLM-L6-v2"
PROGRAM = "build/tests/peers/peers"
LENGTH = 512  # tokens that the model takes


def make_random_model(folder):
    """BERT of MiniLM-L6's shape, and a WordPiece vocabulary of that size."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    letters = [chr(ord("a") + i) for i in range(26)]
    words = [a + b + c + d for a in letters for b in letters for c in letters for d in "aeiou"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters), *words]
    config = BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                        intermediate_size=1536, max_position_embeddings=LENGTH)
    torch.manual_seed(1)
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in tokens[:config.vocab_size]))
    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer", "model_max_length": LENGTH}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def link_model(folder):
    for source in ORIGINAL.iterdir():
        if source.name != "sentence_bert_config.json":
            (folder / source.name).symlink_to(source.resolve())
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LENGTH, "do_lower_case": False}))


def model(scratch):
    folder = scratch / "model"
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        link_model(folder) if ORIGINAL.is_dir() else make_random_model(folder)
    return folder


def tokenizer(folder):
    from tokenizers import Tokenizer

    out = Tokenizer.from_file(str(folder / "tokenizer.json"))
    out.no_truncation()
    out.no_padding()
    return out


def mixed_lengths(count):
    """As of a query with a passage: lognormal, median 57, mean 68, cut to 8..256."""
    drawn = 57 * np.exp(0.6 * np.random.default_rng(13).standard_normal(count))
    return [int(length) for length in np.clip(drawn, 8, 256)]


def texts_of(lengths, tok, seed):
    """A text of so many tokens, [CLS] and [SEP] among them, for each length; and their ids."""
    words = sorted(word for word in tok.get_vocab() if word.isascii() and word.isalpha() and word.islower())
    words = [word for word in words if len(tok.encode(word).ids) == 3]
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(words, length - 2)) for length in lengths]
    ids = [encoding.ids for encoding in tok.encode_batch(texts)]
    assert [len(row) for row in ids] == list(lengths)
    return texts, ids


def padded(rows):
    """ids and attention mask [rows, longest], int64."""
    longest = max(map(len, rows))
    ids, mask = np.zeros((2, len(rows), longest), np.int64)
    for i, row in enumerate(rows):
        ids[i, :len(row)], mask[i, :len(row)] = row, 1
    return ids, mask


def members(source, name):
    """The JSON lines of a file of a BEIR folder or archive."""
    if source.is_dir():
        with open(source / name, encoding="utf-8") as file:
            yield from map(json.loads, file)
    else:
        with tarfile.open(source) as tar:
            member = next(m for m in tar.getmembers() if m.name.endswith(f"/{name}"))
            yield from map(json.loads, tar.extractfile(member))


def collection(scratch, name, source):
    """Its documents and its queries, a text to the line, of a query's words each once; None where it is absent."""
    documents, queries = scratch / f"{name}.documents", scratch / f"{name}.queries"
    if not queries.exists() and not source.exists():
        print(f"SKIPPED: {source} is absent", file=sys.stderr)
        return None, None
    if not queries.exists():
        with open(documents, "w", encoding="utf-8") as file:
            for record in members(source, "corpus.jsonl"):
                print(*f"{record.get('title', '')} {record['text']}".split(), file=file)
        with open(queries, "w", encoding="utf-8") as file:
            for record in members(source, "queries.jsonl"):
                print(*dict.fromkeys(re.findall(r"[a-z0-9_]+", record["text"].lower())), file=file)
    return documents, queries


def ascii_only(path):
    """The same lines with spaces for all else: about other letters and marks, what is a word differs."""
    out = path.with_name(f"{path.name}.ascii")
    if not out.exists():
        out.write_text(re.sub(r"[^\x00-\x7f]", " ", path.read_text(encoding="utf-8")))
    return out
