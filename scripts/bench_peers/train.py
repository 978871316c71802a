"""Training a cross-encoder: retort beside PyTorch (autocast to bf16, fused AdamW), steps of 32 sequences.

Both start from the same weights, take the same sequences to the step, with the same loss (mean squared error towards
-1 and 1 in turn), gradients clipped to norm 1, weight decay on matrices, and dropout 0.1.  PyTorch is given padded
tensors.  That they do the same is seen without dropout, by the losses of a few sequences
learnt eight times.

    python train.py export SCRATCH                             the model's folder
    python train.py PRECISION ATTENTION DROPOUT SCRATCH        a side (rounds.py)
"""
import itertools
import sys
from pathlib import Path

import numpy as np

import inputs
from rounds import THREADS, Entry, Side
from serve import serve

BATCH, STEPS = 32, 8
WORKS = ["train-64", "train-mix-sorted", "train-mix-shuffled"]
RATE, DROPOUT = 1e-4, 0.1
# Largest difference of a step's loss from that of PyTorch in f32, of the first loss.
LARGEST = {"f32": 1e-4, "bf16": 2e-2}


def steps_of(work, scratch):
    """Steps of sequences of ids.  The mixes are of 1024 texts: eight of the 32 batches that they make sorted by
    length, evenly spaced; or eight batches of what comes."""
    lengths = [64] * BATCH * STEPS if work == "train-64" else inputs.mixed_lengths(BATCH * BATCH)
    if work == "train-mix-sorted":
        lengths = sorted(lengths)
        lengths = [n for step in range(STEPS) for n in lengths[(4 * step + 2) * BATCH:][:BATCH]]
    _, ids = inputs.texts_of(lengths[:BATCH * STEPS], inputs.tokenizer(scratch / "model"), WORKS.index(work))
    return [ids[at:at + BATCH] for at in range(0, len(ids), BATCH)]


def write_steps(scratch):
    steps = {work: steps_of(work, scratch) for work in WORKS}
    steps["check"] = STEPS * [steps["train-mix-shuffled"][0][:8]]
    for work in [*WORKS, "check"]:
        numbers = [STEPS]
        for step in steps[work]:
            numbers.append(len(step))
            for ids in step:
                numbers += [len(ids), *ids]
        np.array(numbers, np.int32).tofile(scratch / f"{work}.steps")


def read_steps(path):
    numbers, at, out = np.fromfile(path, np.int32), 1, []
    for _ in range(numbers[0]):
        count, step = numbers[at], []
        at += 1
        for _ in range(count):
            step.append(numbers[at + 1:at + 1 + numbers[at]])
            at += 1 + numbers[at]
        out.append(step)
    return out


def export(scratch):
    """BERT with a classifier of one logit."""
    import torch
    from transformers import BertForSequenceClassification

    folder = scratch / "cross-encoder"
    torch.manual_seed(1)
    model = BertForSequenceClassification.from_pretrained(scratch / "model", num_labels=1, classifier_dropout=0.0)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((scratch / "model" / name).read_bytes())


# ---- PyTorch ----

def torch_side(precision, attention, dropout, scratch):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(THREADS)
    model = AutoModelForSequenceClassification.from_pretrained(
        scratch / "cross-encoder", attn_implementation=attention, hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout, dtype=torch.float32).train()
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}],
                                  lr=RATE, fused=True)

    def learn(ids, mask):
        target = torch.tensor([-1.0, 1.0]).repeat(len(ids) // 2)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(input_ids=ids, attention_mask=mask).logits.squeeze(1)
        loss = ((logits.float() - target) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    calls = {}
    for work in [*WORKS, "check"]:
        steps = [tuple(map(torch.from_numpy, inputs.padded(step))) for step in read_steps(scratch / f"{work}.steps")]
        calls[work] = lambda steps=steps: np.array([learn(*step) for step in steps])
    return calls


# ---- the part ----

def retort_side(scratch, precision, dropout):
    steps = [f"{work}={scratch / work}.steps" for work in [*WORKS, "check"]]
    return Side([inputs.PROGRAM, "train", scratch / "cross-encoder", precision, dropout, RATE, THREADS, *steps],
                scratch / f"train-retort-{precision}-{dropout}.log")


def peer_side(scratch, precision, attention, dropout):
    return Side([sys.executable, __file__, precision, attention, dropout, scratch],
                scratch / f"train-PyTorch-{precision}-{attention}-{dropout}.log")


def entries(scratch, command):
    inputs.model(scratch)
    write_steps(scratch)
    if not (scratch / "cross-encoder/config.json").exists():
        command("export")
    sides = [("retort", "", retort_side(scratch, "bf16", DROPOUT))]
    sides += [("PyTorch", attention, peer_side(scratch, "bf16", attention, DROPOUT)) for attention in ("eager", "sdpa")]
    return [Entry(work, system, "bf16", setting, side, work, BATCH * STEPS, "texts/s")
            for work in WORKS for system, setting, side in sides]


def losses_of(scratch, side):
    """From the weights that both start with."""
    path = scratch / "losses"
    side.start().wait()
    side.run("check")
    side.keep("check", path)
    side.close()
    return np.fromfile(path, np.float64)


def check(scratch, found):
    expected = losses_of(scratch, peer_side(scratch, "f32", "eager", 0))
    sides = {("retort", precision): retort_side(scratch, precision, 0) for precision in LARGEST}
    sides["PyTorch", "bf16"] = peer_side(scratch, "bf16", "eager", 0)
    for (system, precision), side in sides.items():
        off = float(abs(losses_of(scratch, side) - expected).max() / expected[0])
        assert expected[0] > 2 * expected.min(), "nothing was learnt"
        for entry, _ in itertools.chain(*found.values()):
            if entry.system == system:
                entry.agrees(off <= LARGEST[precision], f"{precision} losses within {off:.1e}")


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        precision, attention, dropout, scratch = sys.argv[1:]
        serve(torch_side(precision, attention, float(dropout), Path(scratch)),
              lambda losses, path: losses.tofile(path))
