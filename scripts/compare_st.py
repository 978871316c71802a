"""sentence-transformers' own trainer at equal data, equal steps and equal student.

    python=$(sh scripts/venv.sh accelerate==1.15.0 datasets==5.2.0)
    $python scripts/compare_st.py RUN --loss mnrl --taps matryoshka2d --output DIR      from the project's root

RUN is the folder of a finished run.  The same initial weights (RUN/train/init.safetensors) learn from the same train
queries and candidates (RUN/scores.trec) in as many steps of as many queries, at the same rate, schedule, lengths,
dropout and temperature, in bf16 (torch.autocast), and what is best on the same dev queries and documents after an epoch
is kept.  What differs: negatives are drawn by another generator; the last step of an epoch is filled up with queries
from its beginning; false negatives are left out, not masked; both sides are cut at the documents' length.

With data.pairs in the job (sentence pairs with scores) the base loss is CoSENT.

--loss mnrl    MultipleNegativesRankingLoss on the labels          --taps none            the full model alone
       kl      DistillKLDivLoss on the teacher's scores                   matryoshka      MatryoshkaLoss, last layer
       margin  MarginMSELoss on the teacher's margins                     adaptive-layer  AdaptiveLayerLoss
       cosent  CoSENTLoss, for pairs                                      matryoshka2d    Matryoshka2dLoss

Leaves, as a run does, DIR/grid.tsv, DIR/trec/student-lL-dD.trec or DIR/pairs/student-lL-dD.tsv, and DIR/stages/train
(its seconds).
"""
import argparse
import contextlib
import itertools
import json
import math
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import load_file
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers import util
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from transformers import TrainerCallback
from datasets import Dataset

import experiments

DEPTH = 100  # documents ranked per query


# ---- what the run was given ----

def lines_of(collection, name):
    return experiments.member(collection, name).decode().splitlines()


def texts_of(collection, name):
    rows = (json.loads(line) for line in lines_of(collection, name) if line)
    return {row["_id"]: " ".join(filter(None, (row.get("title", ""), row["text"]))) for row in rows}


def candidates_of(path):
    """{query: [(document, score, kind)]}, positives first."""
    out = defaultdict(list)
    for line in path.read_text().splitlines():
        query, _, document, _, score, tag = line.split("\t")
        out[query].append((document, float(score), tag.split(":")[0]))
    return out


def examples(candidates, queries, documents, job, draw):
    """One per query and epoch, in the order in which they are learnt: query, positive, negatives, their scores."""
    wanted, batch = job["mine"]["negatives_per_query"], job["distill"]["batch_queries"]
    sets = [(query, [c for c in found if c[2] == "positive"], [c for c in found if c[2] == "negative"])
            for query, found in candidates.items()]
    sets = [(query, positives, negatives) for query, positives, negatives in sets if positives and negatives]
    for _ in range(job["distill"]["epochs"]):
        order = draw.sample(sets, len(sets))
        for query, positives, negatives in order + order[:-len(order) % batch]:
            chosen = draw.sample(negatives, min(wanted, len(negatives)))
            chosen = [draw.choice(positives), *chosen, *draw.choices(negatives, k=wanted - len(chosen))]
            yield [queries[query], *(documents[c[0]] for c in chosen)], [c[1] for c in chosen]


# ---- the student ----

def initial_student(run, job):
    """RUN/student with the weights that the run began with."""
    model = SentenceTransformer(str(run / "student"), device="cpu", config_kwargs={
        "hidden_dropout_prob": job["distill"]["dropout"], "attention_probs_dropout_prob": job["distill"]["dropout"]})
    model.max_seq_length = job["distill"]["max_document_tokens"]
    weights = load_file(run / "train/init.safetensors")  # a row of biases is [1, size] there
    modules = {"": model[0].auto_model, "projection.": model[2].linear if len(model) > 2 else None}
    for prefix, module in modules.items():
        for name, value in module.state_dict().items() if module else ():
            if "pooler" not in name and value.is_floating_point():
                value.copy_(weights.pop(prefix + name).reshape(value.shape))
    assert not weights, f"{run}/train/init.safetensors has more: {list(weights)}"
    return model


def loss_of(base, taps, model, job):
    scale = 1 / float(job["distill"]["temperature"])
    loss = {"mnrl": lambda: losses.MultipleNegativesRankingLoss(model, scale=scale),
            "kl": lambda: losses.DistillKLDivLoss(
                model, similarity_fct=util.pairwise_cos_sim, student_temperature=1 / scale,
                teacher_temperature=float(job["distill"]["teacher_temperature"])),
            "margin": lambda: losses.MarginMSELoss(model),
            "cosent": lambda: losses.CoSENTLoss(model, scale=20)}[base]()
    widths = sorted({*job["distill"]["sample"]["widths"], model.get_embedding_dimension()}, reverse=True)
    return {"none": lambda: loss,
            "matryoshka": lambda: losses.MatryoshkaLoss(model, loss, widths),
            "adaptive-layer": lambda: losses.AdaptiveLayerLoss(model, loss),
            "matryoshka2d": lambda: losses.Matryoshka2dLoss(model, loss, widths)}[taps]()


class InOrder(DefaultBatchSampler):
    def __init__(self, dataset, **how):
        super().__init__(range(len(dataset)), **how)


class KeepBest(TrainerCallback):
    """Of the weights after each epoch."""
    def __init__(self, model, every, measure):
        self.model, self.every, self.measure, self.best = model, every, measure, -math.inf

    def on_step_end(self, args, state, control, **_):
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        value = self.measure()
        print(f"step {state.global_step} of {state.max_steps}: dev {value:.4f}", file=sys.stderr, flush=True)
        if value > self.best:
            self.best, self.weights = value, {k: v.clone() for k, v in self.model.state_dict().items()}


def learn(model, rows, loss, job, measure):
    how, columns = job["distill"], defaultdict(list)
    for texts, label in rows:
        for number, text in enumerate(texts):
            columns[f"column_{number}"].append(text)
        columns["label"].append(label)
    per_epoch = math.ceil(len(columns["label"]) / how["epochs"] / how["batch_queries"])
    keep = KeepBest(model, max(1, per_epoch // how["evaluations_per_epoch"]), measure)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch, num_train_epochs=1, per_device_train_batch_size=how["batch_queries"],
            learning_rate=float(how["learning_rate"]), weight_decay=float(how["weight_decay"]),
            max_grad_norm=float(how["clip_norm"]),
            warmup_steps=float(how["warmup"]), lr_scheduler_type=how["schedule"], use_cpu=True, bf16=True,
            batch_sampler=InOrder, seed=job["seed"], save_strategy="no", report_to="none", disable_tqdm=True,
            logging_strategy="no")
        SentenceTransformerTrainer(model, arguments, train_dataset=Dataset.from_dict(columns), loss=loss,
                                   callbacks=[keep]).train()
    model.load_state_dict(keep.weights)
    return keep.best


# ---- measuring ----

def layers_of(model, texts, layers, job, batch=64):
    """{layer: vectors [texts, width]}: the shared pooling and projection after each of these layers."""
    out = {layer: [None] * len(texts) for layer in layers}
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    model.eval()
    model.max_seq_length = job["data"]["max_document_tokens"]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for at in range(0, len(order), batch):
            rows = order[at:at + batch]
            features = model.preprocess([texts[i] for i in rows])
            hidden = model[0].auto_model(**{k: v for k, v in features.items() if k != "modality"},
                                         output_hidden_states=True).hidden_states
            for layer in layers:
                z = {**features, "token_embeddings": hidden[layer]}
                for module in list(model)[1:]:
                    z = module(z)
                for i, vector in zip(rows, z["sentence_embedding"].float()):
                    out[layer][i] = vector
    model.train()
    model.max_seq_length = job["distill"]["max_document_tokens"]
    return {layer: torch.stack(vectors) for layer, vectors in out.items()}


def rankings(z_queries, z_documents, tap, cosine):
    """Rows of the nearest documents, and their similarities."""
    layer, dim = tap
    q, d = (z[layer][:, :dim] for z in (z_queries, z_documents))
    if cosine:
        q, d = torch.nn.functional.normalize(q), torch.nn.functional.normalize(d)
    return (q @ d.T).topk(min(DEPTH, len(d)))


def ndcg(ranked, relevant, cut=10):
    gain = sum(relevant.get(document, 0) / math.log2(rank + 2) for rank, document in enumerate(ranked[:cut]))
    ideal = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(sorted(relevant.values())[::-1][:cut]))
    return gain / ideal


class Retrieval:
    def __init__(self, run, job):
        self.job, collection = job, job["data"]["collection"]
        self.run, self.taps = run, [tuple(tap) for tap in job["student"]["taps"]]
        self.queries, self.documents = texts_of(collection, "queries.jsonl"), texts_of(collection, "corpus.jsonl")
        self.candidates = candidates_of(run / "scores.trec")
        mined = candidates_of(run / "candidates.trec")
        self.dev_queries = [query for query in mined if query not in self.candidates]
        judged = experiments.qrels(collection, job["data"]["train_split"])
        with contextlib.suppress(FileNotFoundError):  # no dev split: part of the train queries is dev
            judged |= experiments.qrels(collection, job["data"]["dev_split"])
        self.relevant = {query: {d: grade for d, grade in judged.get(query, {}).items() if d in self.documents}
                         for query in self.dev_queries}
        pool = {c[0] for query in self.dev_queries for c in mined[query]}
        self.dev_documents = sorted(pool.union(*self.relevant.values()))

    def rows(self, draw):
        return examples(self.candidates, self.queries, self.documents, self.job, draw)

    def ranked(self, model, queries, documents, taps):
        layers = sorted({layer for layer, _ in taps})
        z = [layers_of(model, [texts[i] for i in ids], layers, self.job)
             for texts, ids in ((self.queries, queries), (self.documents, documents))]
        return {tap: rankings(*z, tap, self.job["distill"]["similarity"] == "cosine") for tap in taps}

    def dev(self, model):
        found = self.ranked(model, self.dev_queries, self.dev_documents, self.taps)
        return float(np.mean([ndcg([self.dev_documents[i] for i in row], self.relevant[query])
                              for hits in found.values() for query, row in zip(self.dev_queries, hits.indices)]))

    def test(self, model, points, output):
        judged = experiments.qrels(self.job["data"]["collection"], self.job["data"]["test_split"])
        queries, documents = sorted(judged), list(self.documents)
        (output / "trec").mkdir(exist_ok=True)
        for (layer, dim), hits in self.ranked(model, queries, documents, points).items():
            with open(output / f"trec/student-l{layer}-d{dim}.trec", "w") as file:
                for query, rows, scores in zip(queries, hits.indices, hits.values):
                    for rank, (row, score) in enumerate(zip(rows.tolist(), scores.tolist())):
                        print(query, "Q0", documents[row], rank + 1, f"{score:.8f}", "student", sep="\t", file=file)
            values = [ndcg([documents[i] for i in row], judged[query]) for query, row in zip(queries, hits.indices)]
            yield layer, dim, "ndcg_cut_10", float(np.mean(values)), "", ""


class Pairs:
    """Sentence pairs with scores: Spearman's correlation of the cosines."""
    def __init__(self, run, job):
        self.job, self.taps = job, [tuple(tap) for tap in job["student"]["taps"]]

    def pairs(self, split):
        rows = [line.split("\t") for line in lines_of(self.job["data"]["pairs"], f"{split}.tsv")]
        return [(a, b, float(score)) for score, a, b, *_ in rows if score != "score"]

    def rows(self, draw):
        pairs, batch = self.pairs(self.job["data"]["train_split"]), self.job["distill"]["batch_queries"]
        for _ in range(self.job["distill"]["epochs"]):
            order = draw.sample(pairs, len(pairs))
            yield from (([a, b], score) for a, b, score in order + order[:-len(order) % batch])

    def cosines(self, model, split, points):
        """The labels of a split, and the cosines of its pairs at each point."""
        texts, other_texts, labels = zip(*self.pairs(split))
        layers = sorted({layer for layer, _ in points})
        first, second = (layers_of(model, list(side), layers, self.job) for side in (texts, other_texts))
        return np.array(labels), {(layer, dim): torch.cosine_similarity(first[layer][:, :dim],
                                                                        second[layer][:, :dim]).numpy()
                                  for layer, dim in points}

    def dev(self, model):
        labels, cosines = self.cosines(model, self.job["data"]["dev_split"], self.taps)
        return float(np.mean([spearmanr(found, labels).statistic for found in cosines.values()]))

    def test(self, model, points, output):
        draw = np.random.default_rng(self.job["seed"])
        labels, cosines = self.cosines(model, self.job["data"]["test_split"], points)
        (output / "pairs").mkdir(exist_ok=True)
        for (layer, dim), found in cosines.items():
            with open(output / f"pairs/student-l{layer}-d{dim}.tsv", "w") as file:
                print("label", "score", sep="\t", file=file)
                for label, cosine in zip(labels, found):
                    print(f"{label:g}", f"{cosine:.6g}", sep="\t", file=file)
            rows = [draw.integers(len(labels), size=len(labels)) for _ in range(self.job["evaluate"]["resamples"])]
            drawn = [spearmanr(found[row], labels[row]).statistic for row in rows]
            yield layer, dim, "spearman", spearmanr(found, labels).statistic, *np.quantile(drawn, [0.025, 0.975])


# ---- the command ----

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--loss", choices=["mnrl", "kl", "margin", "cosent"], default="mnrl")
    parser.add_argument("--taps", choices=["none", "matryoshka", "adaptive-layer", "matryoshka2d"], default="none")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--split", help="to measure on (the job's data.test_split)")
    call = parser.parse_args()
    job = yaml.safe_load((call.run / "job.yaml").read_text())
    job["data"]["test_split"] = call.split or job["data"]["test_split"]
    torch.manual_seed(job["seed"])
    random.seed(job["seed"])
    (call.output / "stages").mkdir(parents=True, exist_ok=True)
    task = (Pairs if job["data"].get("pairs", "none") != "none" else Retrieval)(call.run, job)
    model = initial_student(call.run, job)
    start = time.monotonic()
    best = learn(model, task.rows(random.Random(job["seed"])), loss_of(call.loss, call.taps, model, job), job,
                 lambda: task.dev(model))
    seconds = time.monotonic() - start
    points = list(itertools.product(job["evaluate"]["layers"], job["evaluate"]["dims"]))
    rows = list(task.test(model, points, call.output))
    measure = rows[0][2]
    with open(call.output / "grid.tsv", "w") as file:
        print("system", "layers", "dim", measure, f"{measure}_low", f"{measure}_high", sep="\t", file=file)
        for layer, dim, _, *values in rows:
            print("student", layer, dim, *(f"{v:.6f}" if v != "" else "" for v in values), sep="\t", file=file)
            print(f"{layer} layers, {dim} dims: {values[0]:.4f}", file=sys.stderr)
    (call.output / "stages/train").write_text(f"sentence-transformers\t{seconds:.1f}\n")
    print(f"best on dev {best:.4f}; trained in {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
