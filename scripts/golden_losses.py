#!/usr/bin/env python3
"""Writes the golden vectors of the losses, the optimiser and PCA from PyTorch and NumPy.

    python3 scripts/golden_losses.py          (torch, transformers, safetensors, numpy)

Files: tests/distill/golden_losses.safetensors, tests/distill/golden_pca.safetensors,
tests/nn/golden_adamw.safetensors.  Inputs are rounded to f32 first; losses and components are then
computed in f64.  Nothing here shares code with the C program.
"""

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from transformers import get_cosine_schedule_with_warmup

SEED = 20240607
WIDTH, DIM, QUERIES, DOCUMENTS = 12, 8, 4, 9


def made_by():
    """One key alone: safetensors writes several in an order that changes from run to run."""
    by = f"golden_losses.py seed {SEED}, torch {torch.__version__}, numpy {np.__version__}"
    return {"made_by": by}


def f32(tensor):
    return tensor.detach().numpy().astype(np.float32)


def losses(out, generator):
    """Every loss on the first DIM columns, with mask, unequal lists and tied teacher scores."""

    def normal(*shape):
        return torch.randn(*shape, generator=generator).double()

    q, d = normal(QUERIES, WIDTH), normal(DOCUMENTS, WIDTH)
    full, target = 4 * normal(QUERIES, DOCUMENTS), normal(QUERIES, DIM)
    labels = torch.tensor([0.25, 1.0, 0.25, 0.5]).double()
    positive = torch.tensor([8, 0, 3, 4])
    mask = torch.ones(QUERIES, DOCUMENTS, dtype=torch.uint8)
    mask[0, [1, 2]] = 0
    mask[2, [0, 3, 7]] = 0  # its own positive as well: it counts all the same
    lists = [[8, 1, 5, 0], [0], [3, 7], [4, 2, 6, 1, 8]]
    teacher = [[5.0, -2.0, -2.0, 1.5], [3.0], [-1.0, 4.0], [9.5, 9.5, 0.0, -11.0, 2.25]]
    out |= {"q": f32(q), "d": f32(d), "labels": f32(labels)}
    out |= {"full": f32(full), "target": f32(target)}
    out |= {"positive": positive.numpy().astype(np.int32), "mask": mask.numpy()}
    out["starts"] = np.cumsum([0] + [len(one) for one in lists]).astype(np.int32)
    out["columns"] = np.array(sum(lists, []), np.int32)
    out["teacher"] = np.array(sum(teacher, []), np.float32)

    def scores(q, d, cosine, scale):
        q, d = q[:, :DIM], d[:, :DIM]
        if cosine:
            q, d = F.normalize(q, dim=1), F.normalize(d, dim=1)
        return scale * q @ d.T

    def info_nce(s):
        allowed = mask.bool().clone()
        allowed[torch.arange(QUERIES), positive] = True
        return F.cross_entropy(s.masked_fill(~allowed, float("-inf")), positive)

    def listwise(s, temperature):
        loss = 0
        for i, (columns, logits) in enumerate(zip(lists, teacher)):
            target = F.softmax(torch.tensor(logits).double() / temperature, 0)
            loss += F.kl_div(F.log_softmax(s[i, columns], 0), target, reduction="sum")
        return loss / QUERIES

    def margin(s, k):
        errors = [
            (s[i, c[0]] - s[i, c[j]]) - k * (t[0] - t[j])
            for i, (c, t) in enumerate(zip(lists, teacher))
            for j in range(1, len(c))
        ]
        return torch.stack(errors).square().mean()

    def self_kl(s):
        return F.kl_div(F.log_softmax(s, 1), F.softmax(full, 1), reduction="batchmean")

    def cosines(q, d):
        return F.cosine_similarity(q[:, :DIM], d[:QUERIES, :DIM])

    def cosent(c, scale):
        terms = [torch.zeros((), dtype=torch.double)]
        for i in range(QUERIES):
            terms += [scale * (c[j] - c[i]) for j in range(QUERIES) if labels[i] > labels[j]]
        return torch.logsumexp(torch.stack(terms), 0)

    cases = {
        "info_nce": lambda q, d: info_nce(scores(q, d, True, 20)),
        "listwise_kl": lambda q, d: listwise(scores(q, d, True, 10), 2),
        "margin_mse": lambda q, d: margin(scores(q, d, False, 1), 0.3),
        "self_kl": lambda q, d: self_kl(scores(q, d, True, 20)),
        "together": lambda q, d: (
            lambda s: info_nce(s) + 0.5 * listwise(s, 2) + 0.25 * margin(s, 0.3) + 2 * self_kl(s)
        )(scores(q, d, True, 20)),
        "hpd_mse": lambda q, d: F.mse_loss(q[:, :DIM], target) + 0 * d.sum(),
        "cosent": lambda q, d: cosent(cosines(q, d), 20),
        "cosine_mse": lambda q, d: F.mse_loss(cosines(q, d), labels),
    }
    full, target = full.float().double(), target.float().double()
    for name, function in cases.items():
        leaf_q, leaf_d = (x.float().double().requires_grad_() for x in (q, d))
        loss = function(leaf_q, leaf_d)
        loss.backward()
        out[name + ".loss"] = f32(loss.reshape(1))
        out |= {name + ".dq": f32(leaf_q.grad), name + ".dd": f32(leaf_d.grad)}


def adamw(out, generator, steps=6):
    """torch.optim.AdamW in f32: decay on w only, joint clipping, cosine schedule with warm-up."""
    w = torch.nn.Parameter(torch.randn(7, 5, generator=generator))
    b = torch.nn.Parameter(torch.randn(7, generator=generator))
    groups = [{"params": [w], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_cosine_schedule_with_warmup(optimiser, 2, steps)
    out |= {"w.start": f32(w), "b.start": f32(b)}
    for step in range(steps):
        w.grad, b.grad = torch.randn(7, 5, generator=generator), torch.randn(7, generator=generator)
        out |= {f"w.gradient.{step}": f32(w.grad), f"b.gradient.{step}": f32(b.grad)}
        out[f"norm.{step}"] = f32(torch.nn.utils.clip_grad_norm_([w, b], 1.0).reshape(1))
        out[f"factor.{step}"] = np.array([schedule.get_last_lr()[0] / 0.05], np.float32)
        optimiser.step()
        schedule.step()
        out |= {f"w.after.{step}": f32(w), f"b.after.{step}": f32(b)}


def pca(out, rng):
    """Components of uneven, off-centre data by descending eigenvalue, largest entry positive."""
    x = rng.normal(size=(40, 9)) @ rng.normal(size=(9, 9)) + 2 * rng.normal(size=9)
    out["x"] = x = x.astype(np.float32)
    for name, mean in (("uncentred", np.zeros(9)), ("centred", x.astype(np.float64).mean(0))):
        values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        components = vectors.T[::-1]
        largest = components[np.arange(9), np.abs(components).argmax(1)]
        components = components * np.sign(largest)[:, None]
        out |= {name + ".mean": mean, name + ".eigenvalues": values[::-1]}
        out[name + ".components"] = components
        out[name + ".projected"] = (x - mean) @ components[:4].T
        out[name + ".explained"] = np.array([values[::-1][:4].sum() / values.sum()])
    for name in out:
        out[name] = np.ascontiguousarray(out[name], np.float32)


def main():
    generator = torch.Generator().manual_seed(SEED)
    files = {"distill/golden_losses": {}, "nn/golden_adamw": {}, "distill/golden_pca": {}}
    losses(files["distill/golden_losses"], generator)
    adamw(files["nn/golden_adamw"], generator)
    pca(files["distill/golden_pca"], np.random.default_rng(SEED))
    for name, tensors in files.items():
        save_file(tensors, f"tests/{name}.safetensors", made_by())


if __name__ == "__main__":
    main()
