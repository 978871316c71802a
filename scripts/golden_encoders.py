#!/usr/bin/env python3
"""Writes tiny encoders of every family with hidden states, logits and gradients, by transformers.

    python3 scripts/golden_encoders.py        (torch, transformers, safetensors)

Folders: tests/golden/encoders/NAME/ with config.json and model.safetensors (a sequence
classification model), inputs.json (ids, token_types; sequences are run one by one, unpadded) and
expected.safetensors: hidden.0 .. hidden.L [tokens, hidden], logits [sequences, labels], and
grad.NAME of every encoder parameter for the loss sum over l of <hidden.l, tap.l>, computed in f64.
Norms and biases are random on purpose, so that a forgotten one shows.  Nothing here shares code
with the C program.
"""

import json
import os

import torch
import transformers
from safetensors.torch import save_file

SEED = 20240607
ROOT = os.path.join(os.path.dirname(__file__), "..", "tests", "golden", "encoders")
LENGTHS = [1, 17, 5, 2]
SIZES = dict(vocab_size=30, hidden_size=20, num_hidden_layers=2, num_attention_heads=4,
             intermediate_size=36, max_position_embeddings=24, initializer_range=0.3)
DISTIL = dict(vocab_size=30, dim=20, n_layers=2, n_heads=4, hidden_dim=36,
              max_position_embeddings=24, initializer_range=0.3)
FAMILIES = {
    "bert": transformers.BertConfig(**SIZES),
    "bert_tanh": transformers.BertConfig(
        **SIZES, hidden_act="gelu_new", layer_norm_eps=1e-5, num_labels=3
    ),
    "roberta": transformers.RobertaConfig(**SIZES, pad_token_id=1, type_vocab_size=1),
    "xlm_roberta": transformers.XLMRobertaConfig(**SIZES, pad_token_id=1, type_vocab_size=1),
    "distilbert": transformers.DistilBertConfig(**DISTIL),
    "electra": transformers.ElectraConfig(**SIZES, embedding_size=12),
}
TYPED = {"bert", "bert_tanh", "electra"}


def uneven(model, generator):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
            else:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def run(model, ids, types):
    """Hidden states [tokens, hidden] of every layer, sequences end to end, and logits."""
    outputs = []
    for i, sequence in enumerate(ids):
        inputs = {"input_ids": torch.tensor([sequence])}
        if types:
            inputs["token_type_ids"] = torch.tensor([types[i]])
        outputs.append(model(**inputs, output_hidden_states=True))
    layers = len(outputs[0].hidden_states)
    hidden = [torch.cat([o.hidden_states[layer][0] for o in outputs]) for layer in range(layers)]
    return hidden, torch.cat([o.logits for o in outputs])


def write(name, config):
    generator = torch.Generator().manual_seed(SEED)
    config._attn_implementation = "eager"
    if config.num_labels == 2:
        config.num_labels = 1
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    uneven(model, generator)
    ids = [torch.randint(3, 30, (n,), generator=generator).tolist() for n in LENGTHS]
    types = [[int(j > n // 2) for j in range(n)] for n in LENGTHS]
    folder = os.path.join(ROOT, name)
    model.save_pretrained(folder)
    given_types = types if name in TYPED else [[0] * n for n in LENGTHS]
    with open(os.path.join(folder, "inputs.json"), "w") as file:
        json.dump({"ids": ids, "token_types": given_types}, file)
    expected = {}
    model = model.double()
    hidden, logits = run(model, ids, types if name in TYPED else None)
    loss = 0
    for layer, states in enumerate(hidden):
        tap = torch.randn(states.shape, generator=generator).float()
        loss = loss + (states * tap.double()).sum()
        expected[f"hidden.{layer}"] = states.detach().float().contiguous()
        expected[f"tap.{layer}"] = tap
    expected["logits"] = logits.detach().float()
    loss.backward()
    for parameter, value in model.base_model.named_parameters():
        if not parameter.startswith("pooler."):
            expected[f"grad.{parameter}"] = value.grad.float()
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    by = f"golden_encoders.py seed {SEED}, {versions}"
    save_file(expected, os.path.join(folder, "expected.safetensors"), {"made_by": by})
    for file in os.listdir(folder):
        os.chmod(os.path.join(folder, file), 0o644)


if __name__ == "__main__":
    for family, configuration in FAMILIES.items():
        write(family, configuration)
