#!/usr/bin/env python3
"""Files of the safetensors package are read by retort, and retort's are byte for byte the package's.

    python3 scripts/check_safetensors.py

A small random encoder in f32, f16, bf16 and in two shards goes through `retort export`; what comes
out holds the same values, loads in Python, and equals what the package would have written.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save, save_file

HIDDEN, LAYERS, POSITIONS = 12, 2, 40
TOKENIZER = Path("tests/golden/tokenizer")


def random_encoder(vocab, dtype):
    generator = torch.Generator().manual_seed(5)
    shapes = {
        "embeddings.word_embeddings.weight": (vocab, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for part, rows, cols in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", 2 * HIDDEN, HIDDEN),
            ("output.dense", HIDDEN, 2 * HIDDEN),
        ]:
            shapes[f"{prefix}{part}.weight"] = (rows, cols)
            shapes[f"{prefix}{part}.bias"] = (rows,)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{prefix}{part}.weight"] = shapes[f"{prefix}{part}.bias"] = (HIDDEN,)
    return {k: torch.randn(s, generator=generator).to(dtype) for k, s in shapes.items()}


def write_model(folder, tensors, shards):
    vocab = len(json.loads((TOKENIZER / "tokenizer.json").read_text())["model"]["vocab"])
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": vocab + 20,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 3,
        "intermediate_size": 2 * HIDDEN,
        "max_position_embeddings": POSITIONS,
    }
    shutil.copytree(TOKENIZER, folder)
    (folder / "config.json").write_text(json.dumps(config))
    names = list(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return
    weight_map = {name: f"model-{i % shards}.safetensors" for i, name in enumerate(names)}
    for file in set(weight_map.values()):
        save_file({n: tensors[n] for n in names if weight_map[n] == file}, folder / file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def export(model, output):
    command = ["./retort", "export", "--model", model, "--output", output, "--quiet"]
    run = subprocess.run(command + ["--precision", "f32"], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"export failed: {run.stderr}")
    return (output / "model.safetensors").read_bytes()


def main():
    vocab = len(json.loads((TOKENIZER / "tokenizer.json").read_text())["model"]["vocab"]) + 20
    kinds = [("f32", torch.float32, 1), ("f16", torch.float16, 1), ("bf16", torch.bfloat16, 1)]
    with tempfile.TemporaryDirectory() as name:
        for kind, dtype, shards in kinds + [("shards", torch.float32, 2)]:
            model, output = Path(name, kind), Path(name, kind + "-out")
            tensors = random_encoder(vocab, dtype)
            write_model(model, tensors, shards)
            written = export(model, output)
            assert export(model, output) == written, f"{kind}: two exports differ"
            read = load_file(output / "model.safetensors")
            assert read.keys() == tensors.keys(), read.keys() ^ tensors.keys()
            for key, value in read.items():
                assert torch.equal(value, tensors[key].float()), f"{kind}: {key}"
            assert (
                save(read, {"format": "pt"}) == written
            ), f"{kind}: other bytes than the package's"
            print(f"{kind}: {len(read)} tensors, {len(written)} bytes equal")


if __name__ == "__main__":
    main()
