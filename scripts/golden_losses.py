#!/usr/bin/env python3
"""Writes the golden vectors of the losses, the optimiser and PCA from PyTorch, NumPy and sentence-transformers.

    $(sh scripts/venv.sh) scripts/golden_losses.py          (the versions are in each file's metadata)

Files: tests/distill/golden_losses.safetensors, golden_reference.safetensors and golden_pca.safetensors there,
tests/nn/golden_adamw.safetensors.  Inputs are rounded to f32 first; losses and components are then computed in f64
(sentence-transformers' losses of cross-encoders in f32).  Nothing here shares code with the C program.

golden_reference has the losses of sentence-transformers 6.2.0 themselves, driven by a model whose layers' outputs are
given: values, and gradients with respect to every layer's embeddings.  Conventions of that version which
tests/distill/test_reference_losses.c reproduces as rows (tap, loss, weight), and which differ from papers or elsewhere:

* AdaptiveLayerLoss (and Matryoshka2dLoss) count the embeddings' output as layer 0 (Hugging Face's hidden states), so
  index i is block i, and an index drawn uniformly from 0 .. L-1 trains the embedding layer too.
* Layer weights: uniform 1, log 1 / (1 + ln(1 + i)), linear 1 / (1 + i), with that i; divided by the number of drawn
  layers, times prior_layers_weight.  The KL term has neither weight nor division: T * kl_div_weight * KL, for each
  drawn layer; its target (the last layer) is detached (2DMSE: not), and it sees all columns' rows at full width, not
  normalised, before Matryoshka's cut.
* Matryoshka2dLoss by default draws one width for the last layer and another one for the drawn layer.
* MatryoshkaLoss normalises after every cut, at full width too: inside it, a loss on dot products (MarginMSELoss,
  DistillKLDivLoss) becomes one on cosines.  Widths are summed by weight, not averaged.
* Symmetric in-batch loss (directions query_to_doc and doc_to_query, partition per_direction): half the sum of both.
* MarginMSELoss: mean over all (query, negative), dot products.  DistillKLDivLoss: times the student's temperature
  squared, student's and teacher's temperature separate, dot products; a mean over queries.
* CoSENTLoss, AnglELoss: scale 20, log(1 + sum), no mean.  AnglELoss's similarity is the AnglE repository's 'sum'.
* LambdaLoss, RankNetLoss (cross-encoders): mean over the ordered pairs of the whole batch, in bits.  ADRMSELoss: mean
  over all documents of the batch, alpha 1.
* A zero vector: torch's normalize gives it a gradient of 1e12 times what comes in, here it gets none.
"""

import contextlib
import logging
import math
import random
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers import __version__ as st_version
from sentence_transformers.cross_encoder import losses as pair_losses
from sentence_transformers.sentence_transformer import losses as st
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import get_cosine_schedule_with_warmup

SEED = 20240607
WIDTH, DIM, QUERIES, DOCUMENTS = 12, 8, 4, 9


def made_by(name):
    """One key alone: safetensors writes several in an order that changes from run to run."""
    by = f"golden_losses.py seed {SEED}, torch {torch.__version__}, numpy {np.__version__}"
    by += f", sentence-transformers {st_version}" if "reference" in name else ""
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


class GivenLayers(Transformer):
    """Stands where sentence-transformers has its transformer: layers' outputs are given, one token a text."""

    def __init__(self, width):
        torch.nn.Module.__init__(self)
        self.width = width
        self.model = SimpleNamespace(config=SimpleNamespace(output_hidden_states=False))

    def forward(self, features, **kwargs):
        layers = [features[key] for key in sorted(features) if key.startswith("layer")]
        features |= {"all_layer_embeddings": layers, "token_embeddings": layers[-1]}
        return features

    def get_embedding_dimension(self):
        return self.width


@contextlib.contextmanager
def recorded_draws(draws):
    """What random.sample gives meanwhile."""
    original = random.sample

    def sample(population, count):
        draws.extend(original(population, count))
        return draws[-count:]

    random.sample = sample
    try:
        yield
    finally:
        random.sample = original


# Of golden_reference: query i, its positive (document i) and its negative (document BATCH + i).
LAYERS, BATCH, SIZE, CUT = 4, 4, 8, 3
ROWS = 3 * BATCH


def reference_cases(model, scores, labels):
    """(name, loss, number of columns, labels) of sentence-transformers."""
    ranking = st.MultipleNegativesRankingLoss(model)
    cached = {"mini_batch_size": 3}
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    cut = {"matryoshka_dims": [CUT, SIZE], "matryoshka_weights": [0.5, 1]}
    layers = {"n_layers_per_step": -1}
    other = {"layer_weighting": "log", "last_layer_weight": 2, "prior_layers_weight": 0.7, "kl_div_weight": 1.5}
    other |= {"kl_temperature": 0.5} | layers
    linear = {"layer_weighting": "linear", "kl_temperature": 0} | layers
    in_batch, cosent, angle = st.CachedMultipleNegativesRankingLoss, st.CoSENTLoss(model), st.AnglELoss(model)
    kl = st.DistillKLDivLoss(model, temperature=2.0)
    return [
        ("in_batch", in_batch(model, **cached), 3, None),
        ("symmetric", in_batch(model, **cached, **both), 3, None),
        ("matryoshka", st.MatryoshkaLoss(model, ranking, **cut), 3, None),
        ("matryoshka_cached", st.MatryoshkaLoss(model, in_batch(model, **cached), **cut), 3, None),
        ("adaptive", st.AdaptiveLayerLoss(model, ranking, **layers), 3, None),
        ("adaptive_log", st.AdaptiveLayerLoss(model, ranking, **other), 3, None),
        ("adaptive_linear", st.AdaptiveLayerLoss(model, ranking, **linear), 3, None),
        ("matryoshka2d", st.Matryoshka2dLoss(model, ranking, **cut, **layers, n_dims_per_step=-1), 3, None),
        ("matryoshka2d_drawn", st.Matryoshka2dLoss(model, ranking, **cut), 3, None),
        ("margin_mse", st.MarginMSELoss(model), 3, scores),
        ("matryoshka_margin_mse", st.MatryoshkaLoss(model, st.MarginMSELoss(model), **cut), 3, scores),
        ("distill_kl", kl, 3, scores),
        ("matryoshka_distill_kl", st.MatryoshkaLoss(model, kl, **cut), 3, scores),
        ("cosent", cosent, 2, labels),
        ("angle", angle, 2, labels),
        ("matryoshka_angle", st.MatryoshkaLoss(model, angle, **cut), 2, labels),
        ("matryoshka2d_cosent", st.Matryoshka2dLoss(model, cosent, **cut, **layers, n_dims_per_step=-1), 2, labels),
    ]


def reference(out, generator):
    """sentence-transformers' losses of embeddings; what is drawn: (layer, width of the last, of the layer)."""
    logging.disable(logging.WARNING)
    layers = torch.randn(LAYERS, ROWS, SIZE, generator=generator)
    out["layers"] = f32(layers)
    model = SentenceTransformer(modules=[GivenLayers(SIZE), Pooling(SIZE, "mean")], device="cpu")
    random.seed(SEED)
    scores = torch.tensor([[5.0, -2.0], [3.0, 3.0], [-1.0, 4.0], [9.5, -11.0]]).double()
    labels = torch.tensor([0.25, 1.0, 0.25, 0.5]).double()
    out |= {"scores": f32(scores), "labels": f32(labels)}
    for name, function, columns, wanted in reference_cases(model, scores, labels):
        leaf, draws = layers.double().requires_grad_(), []
        tokens = torch.ones(BATCH, 1, dtype=torch.long)
        features = [
            {"input_ids": tokens, "attention_mask": tokens}
            | {f"layer{i}": leaf[i, c * BATCH : (c + 1) * BATCH, None] for i in range(LAYERS)}
            for c in range(columns)
        ]
        with recorded_draws(draws):
            loss = function(features, wanted)
        loss.backward()
        out |= {name + ".loss": f32(loss.reshape(1)), name + ".dz": f32(leaf.grad)}
        if name == "matryoshka2d_drawn":  # widths are drawn as indices of the widths, descending
            last, layer, lower = draws
            out["drawn"] = np.array([layer, (SIZE, CUT)[last], (SIZE, CUT)[lower]], np.int32)


def published(out):
    """2DMSE's divergence of coordinates and ESE's compression, as the AnglE repository has them, by an exact SVD."""
    layers = torch.from_numpy(out["layers"]).double()

    def divergence(z, target, temperature):
        return F.kl_div(F.log_softmax(z / temperature, 1), F.softmax(target / temperature, 1), reduction="batchmean")

    def compress(x, temperature):
        values = x.detach()
        u, s, _ = torch.linalg.svd(F.softmax(values.T @ values / SIZE**0.5, -1))
        u = u * u.gather(0, u.abs().argmax(0, keepdim=True)).sign()
        target = values @ u[:, :CUT] @ torch.diag(s[:CUT])
        return F.mse_loss(x[:, :CUT], target) + temperature * divergence(x[:, :CUT], target, temperature)

    cases = {
        "coordinates": lambda z: math.log(4) * divergence(z[2], z[3], 1),  # both layers have gradients
        "compress": lambda z: compress(z[1], 1) / (1 + math.log(2)) + compress(z[3], 0.7),
    }
    for name, function in cases.items():
        leaf = layers.clone().requires_grad_()
        loss = function(leaf)
        loss.backward()
        out |= {name + ".loss": f32(loss.reshape(1)), name + ".dz": f32(leaf.grad)}


class GivenScores(torch.nn.Module):
    """Stands where sentence-transformers has its cross-encoder: a document's text is the place of its logit."""

    num_labels, device = 1, torch.device("cpu")

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def preprocess(self, pairs, **kwargs):
        return {"place": torch.tensor([int(document) for _, document in pairs])}

    def forward(self, features):
        return {"scores": self.logits[features["place"]]}


def orders(out, generator, temperature=1.5):
    """Losses on the order of lists; LambdaLoss' labels are exp((teacher - its maximum) / temperature)."""
    lengths = [4, 1, 6, 2]
    logits = 2 * torch.randn(sum(lengths), generator=generator)
    teacher = [torch.tensor(x) for x in ([5.0, -2, -2, 1.5], [3.0], [-1, 4, 0.5, 4, -3, 2], [1.0, 1.0])]
    relevance = [torch.exp((x - x.max()) / temperature) for x in teacher]
    documents = [[str(j) for j in range(sum(lengths[:i]), sum(lengths[: i + 1]))] for i in range(len(lengths))]
    out |= {"order.logits": f32(logits), "order.teacher": f32(torch.cat(teacher))}
    out["order.starts"] = np.cumsum([0] + lengths).astype(np.int32)
    cases = [
        ("ranknet", pair_losses.RankNetLoss, teacher),
        ("lambda", pair_losses.LambdaLoss, relevance),
        ("adr_mse", pair_losses.ADRMSELoss, teacher),
    ]
    for name, function, labels in cases:
        leaf = logits.clone().requires_grad_()
        loss = function(GivenScores(leaf))([["q"] * len(lengths), documents], labels)
        loss.backward()
        out |= {name + ".loss": f32(loss.reshape(1)), name + ".ds": f32(leaf.grad)}


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
    files["distill/golden_reference"] = {}
    reference(files["distill/golden_reference"], generator)
    published(files["distill/golden_reference"])
    orders(files["distill/golden_reference"], generator)
    for name, tensors in files.items():
        save_file(tensors, f"tests/{name}.safetensors", made_by(name))


if __name__ == "__main__":
    main()
