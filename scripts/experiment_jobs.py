"""Writes the rows of the experiments: configs/experiments/ROW.yaml, and rows.tsv, the list of them in order.

    python3 scripts/experiment_jobs.py            from the project's root
    python3 scripts/experiment_jobs.py --check    fails if what is there is not what it would write

A row is a collection, a few keys that differ from the collection's, and seeds; or one of sentence-transformers'
losses, learnt from a row's data.  All rows of a collection take the same steps, but for those that say otherwise.
"""
import sys
from pathlib import Path

FOLDER, SHARED = Path("configs/experiments"), "../../../shared"
# The teacher of every row, and what it has seen.
TEACHER = "minilm-l6-ce"
SEEN = ("the train queries of scifact, nfcorpus, squad, wikiqa, trecqa and pubmedqa, and parts of medquad, covidqa, "
        "fairytaleqa, medqa_forum and rqe: its scores on train queries flatter it; no test query")
TAPS = [[1, 32], [2, 64], [3, 128], [6, 128], [6, 384]]
ENCODER = f"{SHARED}/models/all-MiniLM-L6-v2"
RECIPES = ["retort", "2dmse", "ese", "adaptive-layer", "matryoshka", "matryoshka2d", "starbucks", "hpd", "de2ce",
           "margin-mse"]

STUDENT = {"student.init.from": "teacher", "student.init.layers": [1, 2, 3, 4, 5, 6], "student.taps": TAPS}
MEASURED = {"evaluate.layers": [1, 2, 3, 6], "evaluate.dims": [32, 64, 128, 384], "evaluate.systems": ["student"]}
RETRIEVAL = {"teacher.model": f"{SHARED}/models/{TEACHER}", **STUDENT, "distill.learning_rate": 2e-4,
             "distill.evaluations_per_epoch": 1, **MEASURED}
PAIRS = {"teacher.model": f"{SHARED}/models/{TEACHER}", **STUDENT, "distill.batch_queries": 64,
         "distill.learning_rate": 2e-4, "distill.evaluations_per_epoch": 1, **MEASURED,
         "evaluate.measures": ["spearman"]}
# Beside them, what rows of the default have and those of other recipes leave to the recipe.
OURS = {"student.recipe": "retort", "student.projection": 384}
# HPD, for the rows that have it.
HPD_RETRIEVAL = {"distill.hpd.epochs": 1, "distill.hpd.centred": True, "distill.hpd.learning_rate": 3e-4}
HPD_PAIRS = {"distill.hpd.epochs": 1, "distill.hpd.encoder": ENCODER}
# Of a collection: minutes of a row with six layers, and of what all its rows share, as measured on two cores with AMX
# (without it about 1.7 times as long); keys of all rows; keys of HPD.
COLLECTIONS = {
    "wikiqa": (2.7, 2, {
        "data.collection": f"{SHARED}/datasets/wikiqa.tar.gz", "data.max_query_tokens": 32,
        "data.max_document_tokens": 128, "teacher.max_length": 160, "mine.scored": 32, "mine.negatives_per_query": 3,
        "probe.queries": 100, "probe.documents": 2000, **RETRIEVAL, "distill.epochs": 6},
        {**HPD_RETRIEVAL, "distill.hpd.max_texts": 13000}),
    "scifact": (4.2, 2, {
        "data.collection": f"{SHARED}/datasets/scifact.tar.gz", "data.max_query_tokens": 64,
        "data.max_document_tokens": 128, "data.dev_fraction": 0.1, "teacher.max_length": 256, "mine.scored": 24,
        "mine.negatives_per_query": 1, "probe.queries": 100, "probe.documents": 1000, **RETRIEVAL,
        "distill.epochs": 7}, HPD_RETRIEVAL),
    "nfcorpus": (2.5, 2, {
        "data.collection": f"{SHARED}/datasets/nfcorpus.tar.gz", "data.max_query_tokens": 32,
        "data.max_document_tokens": 64, "teacher.max_length": 160, "mine.positives": 8, "mine.scored": 8,
        "mine.negatives_per_query": 1, "probe.queries": 100, "probe.documents": 1000, **RETRIEVAL,
        "distill.epochs": 3}, HPD_RETRIEVAL),
    "stsb": (1.9, 0.1, {"data.pairs": f"{SHARED}/datasets/stsb.tar.gz", "data.max_query_tokens": 64,
                        "data.max_document_tokens": 64, **PAIRS, "distill.epochs": 4}, HPD_PAIRS),
    "sickr": (1.9, 0.1, {"data.pairs": f"{SHARED}/datasets/sickr.tar.gz", "data.max_query_tokens": 64,
                         "data.max_document_tokens": 64, **PAIRS, "distill.epochs": 4}, HPD_PAIRS),
}
# What a recipe leaves to the row: the widths that are measured, or that it has one full-size model; HPD's epochs, so
# that it reads about as many texts as the others (published: five epochs), and DE-2 CE's layers.
DRAWN = {"distill.sample.widths": [32, 64, 128]}
OF_RECIPE = {
    "2dmse": DRAWN, "matryoshka": {"distill.sample.widths": [32, 64, 128, 384]},
    "matryoshka2d": {"distill.sample.widths": [32, 64, 128, 384]},
    "hpd": {"student.projection": 128, "student.taps": [[6, 128]], "evaluate.dims": [32, 64, 128],
            "distill.epochs": None},
    "margin-mse": {"student.taps": [[6, 384]]},
    "de2ce": {"student.init.from": None, "student.init.layers": None, "student.taps": [[2, 384]],
              "evaluate.layers": [1, 2]},
}
HPD_EPOCHS = {"wikiqa": 1, "scifact": 3, "stsb": 5, "sickr": 5}
SEEDS = [13, 14, 15]
OF_ALL_SEEDS = ["sickr-ese"]  # beside wikiqa's: its training goes well or ill by chance
# What the models of TAPS that are trained separately cost together, in trainings of one with all six layers.
AS_LONG = sum(layers for layers, _ in TAPS) // 6
# A job must train: a pass at rate 0.
UNTRAINED = {"distill.epochs": 1, "distill.learning_rate": 0}
ENCODER_ALONE = {**UNTRAINED, "student.init.from": ENCODER, "student.projection": "none"}
# PCA truncation, of a model that was trained for its full size alone and of the default.
CUT = {"evaluate.systems": ["student", "pca"]}
# The default less one ingredient.
ABLATIONS = {
    "no-listwise": {"distill.loss.listwise_kl": 0},
    "no-self-kl": {"distill.loss.self_kl": 0},
    "no-labels": {"distill.loss.info_nce": 0},
    "no-mask": {"mine.false_negative_margin": -100},
    "no-teacher": {"distill.loss.listwise_kl": 0, "mine.false_negative_margin": -100},
}
NOT_TOLD_APART = ["no-labels", "no-mask"]  # on wikiqa's dev split, so asked of nfcorpus, too
# The default and one thing more; measured on dev alone, for choosing.
ADDITIONS = {
    "with-both-directions": {"distill.info_nce.both_directions": True},
    "with-refresh": {"mine.refresh_steps": 50},
    "with-average": {"distill.average": "last"},
    "with-layer-decay": {"distill.layer_decay": 0.8},
    "with-lambda": {"distill.loss.lambda": 1},
    "with-encoder-hpd": {**HPD_RETRIEVAL, "distill.hpd.encoder": ENCODER},
    "with-mining-by-teacher": {"mine.sources": ["bm25", "teacher"]},
    "with-more-epochs": {"distill.epochs": 8},
    "with-log-weights": {"distill.tap_weights": "log"},
    "with-made-queries": {"data.queries": "both", "data.made.queries": 3000, "distill.epochs": 3},
}
# Rates beside that of all rows, on dev as well.
RATES = {collection: ["5e-5", "1e-4", "4e-4"] for collection in ("wikiqa", "nfcorpus", "stsb", "sickr")}


def separate(layers, dim):
    """A model of that size alone; the largest is cut to the other sizes by PCAs, too."""
    largest = [layers, dim] == TAPS[-1]
    return {"student.init.layers": list(range(1, layers + 1)), "student.projection": dim,
            "student.taps": [[layers, dim]],
            **(CUT if largest else {"evaluate.layers": [layers], "evaluate.dims": [dim]})}


def rows():
    """(row, collection, group, system, program, seeds, share of a full row's minutes, keys that differ)"""
    for collection in COLLECTIONS:
        pairs = "data.pairs" in COLLECTIONS[collection][2]

        def row(group, system, share, keys, program="retort", name=None):
            name = f"{collection}-{name or system}"
            several = collection == "wikiqa" and group in ("recipe", "HPD", "separate") or name in OF_ALL_SEEDS
            return name, collection, group, system, program, SEEDS if several else SEEDS[:1], share, keys

        systems = [] if pairs else ["bm25", "teacher"]
        yield row("baseline", "start", 0.2, {**UNTRAINED, "evaluate.systems": ["student", *systems]})
        yield row("baseline", "all-MiniLM-L6-v2", 0.2, ENCODER_ALONE)
        recipes = RECIPES
        if pairs:  # the others are of rankings
            recipes = [name for name in RECIPES if name not in ("de2ce", "margin-mse")]
        elif collection == "nfcorpus":
            recipes = ["retort", "starbucks", "matryoshka2d"]
        for recipe in recipes:
            share = 0.33 if recipe == "de2ce" else 1
            keys = {"student.recipe": recipe, **OF_RECIPE.get(recipe, {}), **(CUT if recipe == "retort" else {})}
            if recipe == "hpd":
                keys |= {"distill.hpd.epochs": HPD_EPOCHS[collection],
                         **({"distill.hpd.encoder": ENCODER} if pairs else {})}
            yield row("recipe", recipe, share, keys)
        yield row("HPD", "with-hpd", 1.3, COLLECTIONS[collection][3])
        for layers, dim in TAPS:
            yield row("separate", "separate", layers / 6, separate(layers, dim), name=f"separate-{layers}-{dim}")
        epochs = COLLECTIONS[collection][2]["distill.epochs"]
        yield row("longer", "longer", AS_LONG, {"distill.epochs": AS_LONG * epochs})
        if collection == "wikiqa":
            yield row("start of", "from-encoder", 1, {"student.init.from": ENCODER})
            yield row("start of", "from-random", 1, {"student.init.from": "random"})
        for name in {"wikiqa": ABLATIONS, "nfcorpus": NOT_TOLD_APART}.get(collection, []):
            yield row("ablation", name, 1, ABLATIONS[name])
        for name, keys in ADDITIONS.items() if collection == "wikiqa" else []:
            yield row("addition", name, 1, keys)
        for rate in RATES.get(collection, []):
            yield row("addition", f"with-rate-{rate}", 1, {"distill.learning_rate": rate})
        of = f"of {collection}-{{}} --loss {'cosent' if pairs else 'mnrl'} --taps {{}}"
        for recipe in ["matryoshka2d"] + (["matryoshka", "adaptive-layer"] if collection == "wikiqa" else []):
            yield row("sentence-transformers", f"st-{recipe}", 2.2, None, program=of.format(recipe, recipe))
        if collection == "wikiqa":
            yield row("sentence-transformers", "st-margin-mse", 2, None,
                      program="of wikiqa-margin-mse --loss margin --taps none")
            yield row("sentence-transformers", "st-kl-matryoshka2d", 2.2, None,
                      program="of wikiqa-matryoshka2d --loss kl --taps matryoshka2d")


def scalar(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(scalar, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def nested(keys):
    out = {}
    for key, value in keys.items():
        *path, last = key.split(".")
        place = out
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return out


def yaml(tree, indent=""):
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *yaml(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {scalar(value)}")
    return lines


def files():
    """{path: text} of all that is written."""
    out, table = {}, ["row\tcollection\tgroup\tsystem\tprogram\tseeds\tminutes"]
    total = 0
    for name, collection, group, system, program, seeds, share, keys in rows():
        full, shared, common, _ = COLLECTIONS[collection]
        minutes = full * share * len(seeds) + (shared if system == "start" else 0)
        total += minutes if group != "addition" else 0
        table.append("\t".join([name, collection, group, system, program, " ".join(map(str, seeds)), f"{minutes:.1f}"]))
        if keys is not None:
            job = {"name": name, **common, **(OURS if keys.get("student.recipe", "retort") == "retort" else {}), **keys}
            job = {key: value for key, value in job.items() if value is not None}
            out[FOLDER / f"{name}.yaml"] = "\n".join(
                [f"# {name} ({group}): a row of scripts/experiment_jobs.py, which writes it.", *yaml(nested(job)), ""])
    table.append(f"# all_minutes\t{total:.0f}")
    table.append("\t".join(["# taps", *(f"{layers},{dim}" for layers, dim in TAPS)]))
    table.append(f"# teacher\t{TEACHER}\t{SEEN}")
    out[FOLDER / "rows.tsv"] = "\n".join([*table, ""])
    return out


def main():
    wanted = files()
    there = {path: path.read_text() for path in FOLDER.glob("*") if path.is_file()}
    if sys.argv[1:] == ["--check"]:
        stale = sorted(str(path) for path in {*wanted, *there} if wanted.get(path) != there.get(path))
        sys.exit(f"stale: {' '.join(stale)}: python3 scripts/experiment_jobs.py" if stale else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in {*there} - {*wanted}:
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
