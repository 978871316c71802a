#!/usr/bin/env python3
"""Compares `retort metrics -q` with pytrec_eval (trec_eval 9) on random runs with many ties.

    python scripts/check_metrics.py [--rounds 100] [--seed 13] [--retort ./retort]

Needs pytrec_eval. Exits 1 at the first difference beyond 1e-9.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

import pytrec_eval

MEASURES = ["ndcg", "map", "recip_rank", "num_ret", "num_rel", "num_rel_ret",
            "ndcg_cut_1", "ndcg_cut_5", "ndcg_cut_10", "ndcg_cut_100", "map_cut_5", "map_cut_100",
            "recall_1", "recall_10", "recall_100", "recall_1000", "P_1", "P_5", "P_10", "P_1000",
            "success_1", "success_5", "success_10"]


def random_score(rng):
    kind = rng.random()
    if kind < 0.5:
        return float(rng.randrange(4))  # ties
    if kind < 0.8:
        return 1 + rng.randrange(5) * 2e-8  # ties in 32 bits only
    return rng.gauss(0, 10 ** rng.randrange(-3, 6))


def random_round(rng):
    documents = [f"{rng.choice(['d', 'D', '', 'é'])}{i}" for i in range(rng.randrange(1, 300))]
    qrels, run = {}, {}
    for q in range(rng.randrange(1, 12)):
        query = f"q{q}"
        if rng.random() < 0.9:
            judged = rng.sample(documents, rng.randrange(1, min(len(documents), 60) + 1))
            grades = rng.choice([[0, 1], [-2, -1, 0, 1, 2, 3], [0], [5]])
            qrels[query] = {d: rng.choice(grades) for d in judged}
        if rng.random() < 0.9:
            found = rng.sample(documents, rng.randrange(1, len(documents) + 1))
            run[query] = {d: random_score(rng) for d in found}
    return qrels, run


def write(folder, qrels, run, beir):
    with open(folder / "qrels", "w", encoding="utf-8") as file:
        if beir:
            file.write("query-id\tcorpus-id\tscore\n")
        for query, judged in qrels.items():
            for document, grade in judged.items():
                file.write(f"{query}\t{document}\t{grade}\n" if beir else
                           f"{query} 0 {document} {grade}\n")
    with open(folder / "run", "w", encoding="utf-8") as file:
        for query, found in run.items():
            for rank, (document, score) in enumerate(found.items(), 1):
                file.write(f"{query} Q0 {document} {rank} {score!r} tag\n")


def ours(retort, folder):
    command = [retort, "metrics", "-q", "--quiet", str(folder / "qrels"), str(folder / "run")]
    for measure in MEASURES:
        command += ["-m", measure]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         encoding="utf-8").stdout
    return {(query, measure): float(value)
            for measure, query, value in (line.split("\t") for line in out.splitlines())}


def theirs(qrels, run):
    # Negative grades mean unjudged to trec_eval too, but pytrec_eval now and then hangs on them.
    judged = {query: {"never found": 0} | {d: grade for d, grade in grades.items() if grade >= 0}
              for query, grades in qrels.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(judged, set(MEASURES))
    rows = evaluator.evaluate(run)
    values = {(query, measure): row[measure] for query, row in rows.items() for measure in MEASURES}
    for measure in MEASURES:
        total = sum(row[measure] for row in rows.values())
        values["all", measure] = total if measure.startswith("num_") else total / len(rows)
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--retort", default="./retort")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    compared, worst = 0, 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for number in range(options.rounds):
            qrels, run = random_round(rng)
            if not set(qrels) & set(run):
                continue
            write(folder, qrels, run, beir=number % 2 == 0)
            mine, reference = ours(options.retort, folder), theirs(qrels, run)
            if mine.keys() != reference.keys():
                sys.exit(f"round {number}: other rows: {mine.keys() ^ reference.keys()}")
            for key, value in reference.items():
                worst = max(worst, abs(mine[key] - value))
                if abs(mine[key] - value) > 1e-9:
                    sys.exit(f"round {number}: {key}: {mine[key]}, trec_eval says {value}")
                compared += 1
    print(f"{compared} values in {options.rounds} rounds, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
