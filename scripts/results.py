"""Makes docs/results.tsv, docs/results.md and a plot a collection of what scripts/experiments.py left in docs/results.

    python3 scripts/results.py [FOLDER [ROWS.tsv]]     FOLDER: docs; ROWS.tsv: configs/experiments/rows.tsv, the order

Intervals are of 95 %, by bootstrap over queries or pairs of sentences, of means over seeds; differences are paired.
"""
import functools
import os
import random
import statistics
import sys
from collections import namedtuple
from pathlib import Path

import experiments

DRAWS, SEED, DEFAULT = int(os.environ.get("DRAWS", "2000")), 13, "retort"
COLUMNS = ["collection", "system", "layers", "dim", "measure", "value", "low", "high", "seeds", "minutes"]
NAMES = {"ndcg_cut_10": "nDCG@10", "spearman": "Spearman's correlation"}

Interval = namedtuple("Interval", "value low high")
# Of a system at a tap; drawn: what the measure is in each resample, the same resamples for all points of a collection,
# or None where it is not known; spread: standard deviation over seeds, or None.
Point = namedtuple("Point", "system layers dim measure count drawn by_seed facts interval spread")


# ---- what was left ----

def read(path):
    """The facts of a row, and its points."""
    facts, values, by_query, drawn = {"settings": []}, {}, {}, {}
    for kind, *words in (line.split("\t") for line in path.read_text().splitlines()):
        if kind == "fact" and words[0] == "setting":
            facts["settings"].append(words[1])
        elif kind == "fact":
            facts[words[0]] = words[1] if len(words) == 2 else words[1:]
        elif kind == "value":
            values.setdefault((words[0], int(words[1]), int(words[2]), words[3]), []).append(
                [float(word) if word else None for word in words[5:8]])
        else:
            key = words[0], int(words[1]), int(words[2]), words[3]
            {"queries": by_query, "draws": drawn}[kind][key] = list(map(float, words[4:]))
    return facts, [point(key, by_seed, by_query.get(key), drawn.get(key), facts) for key, by_seed in values.items()]


def point(key, by_seed, by_query, drawn, facts):
    system, layers, dim, measure = key
    if system == "student":
        system = facts["system"]
    elif layers:
        system = f"{system} of {facts['system']}"
    means = [value for value, _, _ in by_seed]
    if by_query:
        drawn = resampled_means(by_query)
    value = statistics.fmean(by_query or means)
    if drawn:
        interval = interval_of(value, drawn)
    else:  # no more is known than each seed's interval
        interval = Interval(*(statistics.mean(column) if None not in column else None for column in zip(*by_seed)))
    return Point(system, layers, dim, measure, len(by_query or []), drawn, means, facts, interval,
                 statistics.stdev(means) if len(means) > 1 else None)


@functools.lru_cache
def draws(count):
    draw = random.Random(SEED)
    return [draw.choices(range(count), k=count) for _ in range(DRAWS)]


def interval_of(value, drawn):
    drawn = sorted(drawn)
    return Interval(value, drawn[int(0.025 * len(drawn))], drawn[int(0.975 * len(drawn))])


def resampled_means(values):
    return [sum(map(values.__getitem__, rows)) / len(rows) for rows in draws(len(values))]


def bootstrap(values):
    return interval_of(statistics.fmean(values), resampled_means(values))


def paired(a, b):
    return a and b and a.drawn and b.drawn and a.facts["queries"] == b.facts["queries"]


def difference(a, b):
    """a less b, or None where they were not measured on the same queries."""
    return mean_of_differences([(a, b)]) if paired(a, b) else None


def mean_of_differences(pairs):
    """Of points that are paired."""
    return interval_of(statistics.fmean(a.interval.value - b.interval.value for a, b in pairs),
                       (statistics.fmean(x - y for x, y in zip(at[::2], at[1::2]))
                        for at in zip(*(point.drawn for pair in pairs for point in pair))))


def ratio(a, b):
    """Of two means over the same queries."""
    if not (a and b and b.interval.value):
        return None
    value = a.interval.value / b.interval.value
    if not paired(a, b):
        return Interval(value, None, None)
    return interval_of(value, (x / y if y else 0 for x, y in zip(a.drawn, b.drawn)))


class Collection:
    def __init__(self, name):
        self.name, self.points, self.rows = name, [], []

    def add(self, facts, points):
        self.rows.append(facts)
        self.points += points

    def find(self, system, layers=0, dim=0):
        return next((p for p in self.points if (p.system, p.layers, p.dim) == (system, layers, dim)), None)

    def systems(self, *groups):
        """Of these groups, with layers, in the order of the rows."""
        return list(dict.fromkeys(p.system for p in self.points if p.layers and p.facts["group"] in groups))

    def taps(self):
        return [tuple(map(int, tap.split(","))) for tap in self.rows[0]["taps"]]


def collections_of(folder, order):
    """The order of the rows; rows that are not listed come last."""
    rows = [row["row"] for row in experiments.table(order)[0]] if order.exists() else []
    paths = sorted(folder.glob("*.tsv"), key=lambda path: (rows.index(path.stem) if path.stem in rows else len(rows),
                                                           path.stem))
    found = {}
    for path in paths:
        facts, points = read(path)
        found.setdefault(facts["collection"], Collection(facts["collection"])).add(facts, points)
    return found


# ---- words ----

def number(value, signed=False):
    """.561, -.012; with a sign: +.012"""
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def words(interval, signed=False):
    if interval is None:
        return ""
    text = number(interval.value, signed)
    if interval.low is None:
        return text
    return f"{text} [{number(interval.low)}, {number(interval.high)}]"


def verdict(interval, above="better", below="worse", about="not told apart"):
    if interval.low > 0:
        return above
    return below if interval.high < 0 else about


def markdown(head, rows):
    return ["| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]] + [""]


# ---- the page ----

def tap_table(collection, systems, cell):
    head = ["layers, dims", *(f"{layers}, {dim}" for layers, dim in collection.taps())]
    rows = [[f"**{system}**" if system == DEFAULT else system,
             *(cell(collection.find(system, *tap), tap) if collection.find(system, *tap) else ""
               for tap in collection.taps())] for system in systems]
    return markdown(head, [row for row in rows if any(row[1:])])


def value_cell(point, _):
    spread = f" ±{number(point.spread)}" if point.spread is not None else ""
    return words(point.interval) + spread


def mean_difference(collection, system):
    """Of a system less the default, the mean over the taps that both have."""
    pairs = [(collection.find(system, *tap), collection.find(DEFAULT, *tap)) for tap in collection.taps()]
    pairs = [pair for pair in pairs if paired(*pair)]
    return mean_of_differences(pairs) if pairs else None


def difference_table(collection, systems, *verdicts):
    """verdicts: head, and what is said of a mean above, below and about 0."""
    head = ["less the default, at", *(f"{layers}, {dim}" for layers, dim in collection.taps()), "mean", *verdicts[:1]]
    rows = []
    for system in systems:
        mean = mean_difference(collection, system)
        if system != DEFAULT and mean:
            cells = [words(difference(collection.find(system, *tap), collection.find(DEFAULT, *tap)), True)
                     for tap in collection.taps()]
            rows.append([system, *cells, words(mean, True), *([verdict(mean, *verdicts[1:])] if verdicts else [])])
    return markdown(head, rows) if rows else []


def introduction(collection):
    facts, measure = collection.rows[0], collection.points[0].measure
    teacher, seen = facts["teacher"]
    seeds = sorted({row["seeds"] for row in collection.rows}, key=len)[-1]
    measured = f", {collection.points[0].count} queries" if collection.points[0].count else ""
    of_several = f"with ±, the standard deviation over {len(seeds.split())} seeds, else one seed"
    spread = of_several if " " in seeds else "one seed"
    lines = [f"{NAMES.get(measure, measure)} on the {facts['split']} split{measured}; {spread}.",
             f"Labels are learnt; the student starts from {teacher}'s layers, and no pair is scored."
             if collection.points[0].measure == "spearman" else f"The teacher is {teacher}, which has seen {seen}."]
    alone = [f"{name} {words(p.interval)}" for name, p in
             (("BM25", collection.find("bm25")), ("the teacher, re-ranking BM25's first 100,",
                                                  collection.find("teacher"))) if p]
    if alone:
        lines.append(f"{'; '.join(alone)}.")
    return [*lines, ""]


def goal_separate(collection):
    lines = []
    for system, title in ((DEFAULT, "The default at each tap, less a model trained for it alone in as many steps"),
                          ("longer", "The same of the default in the steps of three, which cost what these five do")):
        found = {tap: difference(collection.find(system, *tap), collection.find("separate", *tap))
                 for tap in collection.taps()}
        rows = [[f"{layers}, {dim}", words(less, True), verdict(less)] for (layers, dim), less in found.items() if less]
        if rows:
            lines += [f"{title}:", "", *markdown(["layers, dims", "difference", "the default is"], rows)]
    return lines


def goal_slim(collection):
    lines = []
    *_, slim, _, full = collection.taps()
    for system, title in ((DEFAULT, "({}, {}) keeps {}"), ("longer", "The same in the steps of three: {2}")):
        kept = ratio(collection.find(system, *slim), collection.find(system, *full))
        if kept:
            between = f" [{100 * kept.low:.2f}, {100 * kept.high:.2f}]" if kept.low else ""
            keeps = f"{100 * kept.value:.2f} %{between} of the full student's; wanted are 97 %"
            lines.append(f"- {title.format(*slim, keeps)}: {'met' if kept.value >= 0.97 else 'missed'}.")
    less = difference(collection.find(DEFAULT, *slim), collection.find("all-MiniLM-L6-v2", *slim))
    if less:
        lines.append(f"- Less all-MiniLM-L6-v2 cut to the same size: {words(less, True)}: {verdict(less)}.")
    with_hpd = mean_difference(collection, "with-hpd")
    if with_hpd:
        lines.append(f"- With HPD, less the default, which has none, mean over the taps: {words(with_hpd, True)}: "
                     f"{verdict(with_hpd)}.")
    return [*lines, ""] if lines else []


def goal_start(collection):
    systems = collection.systems("start of")
    return ["Where the default begins, at equal steps: the teacher's layers (the default), or", "",
            *tap_table(collection, [DEFAULT, *systems], value_cell),
            *difference_table(collection, systems)] if systems else []


# Mean Spearman over STS12-16, STS-B and SICK-R with 12 layers, at (2, 32), (4, 64), (6, 128), (12, 768): the table of
# Starbucks' README (Zhuang et al. 2024).
PUBLISHED = {"separately trained": [.6948, .7326, .7657, .8095], "2DMSE": [.6841, .7068, .7187, .7962],
             "Starbucks": [.7214, .7466, .7635, .8010]}


def shape(collection):
    """Of Spearman's correlation: what each tap keeps of the full model's."""
    *sizes, _, full = collection.taps()
    if collection.points[0].measure != "spearman":
        return []
    rows = [[system, *(f"{100 * kept.value:.1f}" if (kept := ratio(collection.find(system, *tap),
                                                                   collection.find(system, *full))) else ""
                       for tap in sizes)]
            for system in collection.systems("recipe", "separate", "baseline") if collection.find(system, *full)]
    rows += [[f"published, 12 layers: {name}", *(f"{100 * value / values[-1]:.1f}" for value in values[:-1])]
             for name, values in PUBLISHED.items()]
    return ["Of the full model's correlation, in percent:", "",
            *markdown(["layers, dims", *(f"{layers}, {dim}" for layers, dim in sizes)], rows)]


def ablation(collection, chosen):
    less = "what is left away", "does harm", "pays", "not told apart from nothing"
    more = "what is added", "pays", "does harm", "not told apart from nothing"
    tables = [("The default less one ingredient:", collection, "ablation", less),
              ("The same on the dev split, by which was chosen:", chosen, "ablation", less),
              ("The default and one thing more, on the dev split:", chosen, "addition", more)]
    return [line for title, of, group, says in tables if of and of.systems(group)
            for line in [title, "", *difference_table(of, of.systems(group), *says)]]


def beside(collection):
    """sentence-transformers' rows and their counterparts of the same data and steps."""
    systems = collection.systems("sentence-transformers")
    if not systems:
        return []
    pairs = [(system, next((name for name in collection.systems("recipe")
                            if system.removeprefix("st-").endswith(name)), DEFAULT)) for system in systems]

    def fact(name, system):
        return next(p.facts[name] for p in collection.points if p.system == system)

    def minutes(own, st):
        both = f"{fact('train_minutes', own)} : {fact('train_minutes', st)}"
        same = fact("processor", own) == fact("processor", st)
        return both if same else f"{both}, on different processors"

    both = list(dict.fromkeys(name for pair in pairs for name in pair[::-1]))
    lines = ["sentence-transformers' trainer with the same student, data and steps (st-):", "",
             *tap_table(collection, both, value_cell)]
    rows = []
    for st, own in pairs:
        for tap in collection.taps():
            found = difference(collection.find(own, *tap), collection.find(st, *tap))
            if found:
                rows.append([f"{own} less {st}", f"{tap[0]}, {tap[1]}", words(found, True),
                             minutes(own, st)])
    return lines + (markdown(["", "layers, dims", "difference", "minutes of training"], rows) if rows else [])


def costs(collection):
    rows = [[f"{row['system']} {of_size(collection, row)}".strip(), row["seeds"].count(" ") + 1, row["steps"],
             row["pairs_scored"], row["teacher_minutes"], row["train_minutes"], row["minutes"], row["peak_megabytes"],
             row["processor"]]
            for row in collection.rows]
    return markdown(["row", "seeds", "steps", "pairs scored", "minutes of the teacher", "of training",
                     "of training and measuring", "peak MB", "processor"], rows)


def of_size(collection, row):
    return next((f"({p.layers}, {p.dim})" for p in collection.points if p.facts is row and p.system == "separate"), "")


def section(collection, chosen):
    systems = collection.systems("recipe", "HPD", "longer", "separate", "baseline")
    goals = [*goal_separate(collection), *goal_slim(collection), *goal_start(collection),
             *shape(collection)]
    parts = [("", [*introduction(collection), *tap_table(collection, systems, value_cell)]),
             ("Less the default", difference_table(collection, systems)),
             ("What was wanted", goals), ("What each ingredient gives", ablation(collection, chosen)),
             ("Beside sentence-transformers", beside(collection)), ("Cost", costs(collection))]
    lines = [f"## {collection.name}", "", f"![{collection.name}](results/{collection.name}.svg)", ""]
    for title, part in parts:
        if len(part) > 3 or not title:
            lines += ([f"### {title}", ""] if title else []) + part
    return lines


def best_of(collection, group):
    """The system that is above the default most, or least below it; of those that have all taps."""
    others = {row["system"] for row in collection.rows} - {DEFAULT}
    less = {system: mean_difference(collection, system) for system in collection.systems(group)
            if system in others and all(collection.find(system, *tap) for tap in collection.taps())}
    best = max((system for system in less if less[system]), key=lambda system: less[system].value, default=None)
    return f"{best}: {words(less[best], True)}" if best else ""


def overview(collections):
    """A line a collection: what its section says at length."""
    rows = []
    for collection in collections.values():
        *_, small, _, full = collection.taps()
        kept = ratio(collection.find(DEFAULT, *small), collection.find(DEFAULT, *full))
        rows.append([f"[{collection.name}](#{collection.name})", words(mean_of(collection, DEFAULT)),
                     best_of(collection, "recipe"), best_of(collection, "sentence-transformers"),
                     words(mean_difference(collection, "separate"), True),
                     words(mean_difference(collection, "pca of separate"), True),
                     words(mean_difference(collection, "longer"), True),
                     f"{100 * kept.value:.0f} % at {small[0]}, {small[1]}" if kept else ""])
    return ["Means over the taps; in the middle columns, less the default's:", "", *markdown(
        ["", "the default", "the best other recipe", "the best of sentence-transformers", "separately trained",
         "the largest of these, cut by PCA", "longer", "the default keeps of its full size"], rows)]


def mean_of(collection, system):
    points = [collection.find(system, *tap) for tap in collection.taps()]
    if not all(point and point.drawn for point in points):
        return None
    return interval_of(statistics.fmean(point.interval.value for point in points),
                       map(statistics.fmean, zip(*(point.drawn for point in points))))


PREFACE = """# What each method is worth

Written by scripts/results.py from docs/results/*.tsv, which `make experiments` leaves; nothing here is typed by hand.
Rows are the job files of configs/experiments. Recipes of one collection take the same number of distillation steps of
the same size; their keys stand in the README. *separate* are five models, each trained for its tap alone as the
default is, of as many steps each; *longer* is the default with the steps of three full-size models, which cost what
the five do; *pca of separate* is the largest of these, its first layers' vectors cut by their PCA, and *pca of
retort* the same of the default; *start* is the student before training;
all-MiniLM-L6-v2 is cut to its first layers and dimensions. Intervals are of 95 %, by bootstrap over queries (or pairs
of sentences) of the means over seeds; differences are paired. Choices were made on dev splits. The test splits were
measured once, but for wikiqa's: there the default, 2dmse, ese, adaptive-layer and matryoshka were measured before HPD
left the default and early-layer vectors the candidates, by what dev splits showed then; all were measured again.
scifact's were all measured again after dev showed what learning from fewer tokens than are embedded costs (methods.md),
stsb's and sickr's after their dev splits showed that 5e-5 is too low a rate; ese on sickr then got three seeds, since
the first one's training came to nothing, and on dev had not.
"""


# ---- the plot ----

COLOURS = ["#000000", "#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#17becf",
           "#bcbd22", "#393b79", "#e7ba52"]


def plot(collection):
    """Value over taps, a line a system."""
    taps, width, height = collection.taps(), 640, 320
    systems = collection.systems("recipe", "separate")
    lines = {system: [(i, p.interval) for i, tap in enumerate(taps) if (p := collection.find(system, *tap))]
             for system in systems}
    lines = {system: found for system, found in lines.items() if found}
    values = [interval.value for found in lines.values() for _, interval in found] or [0]
    least, most = min(0, *values), max(*values, 0.01)

    def x(i):
        return 50 + i * 90

    def y(value):
        return round(height - 40 - (value - least) / (most - least) * (height - 60), 1)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           'font-size="11">', f'<rect width="{width}" height="{height}" fill="white"/>']
    for k in range(6):
        value = least + k * (most - least) / 5
        out.append(f'<path d="M50 {y(value)}H{x(len(taps) - 1)}" stroke="#ddd"/>'
                   f'<text x="44" y="{y(value) + 4}" text-anchor="end">{number(value)}</text>')
    for i, (layers, dim) in enumerate(taps):
        out.append(f'<text x="{x(i)}" y="{height - 20}" text-anchor="middle">{layers}, {dim}</text>')
    for k, (system, found) in enumerate(lines.items()):
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(f"{x(i)},{y(interval.value)}" for i, interval in found)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{3 if k == 0 else 1.5}"/>')
        out += [f'<circle cx="{x(i)}" cy="{y(interval.value)}" r="3" fill="{colour}"/>' for i, interval in found]
        out.append(f'<text x="{x(len(taps) - 1) + 20}" y="{30 + 18 * k}" fill="{colour}">{system}</text>')
    return "\n".join([*out, "</svg>", ""])


# ---- the table ----

def tsv(collections):
    lines = ["\t".join(COLUMNS)]
    for collection in collections.values():
        for p in collection.points:
            less = difference(p, collection.find(DEFAULT, p.layers, p.dim)) if p.system != DEFAULT else None
            for measure, interval in ((p.measure, p.interval), (f"{p.measure} less {DEFAULT}", less)):
                if interval:
                    numbers = ["" if n is None else f"{n:.4f}" for n in interval]
                    lines.append("\t".join([collection.name, p.system, str(p.layers or ""), str(p.dim or ""), measure,
                                            *numbers, str(len(p.by_seed)), p.facts["minutes"]]))
    return "\n".join([*lines, ""])


def main():
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    order = Path(sys.argv[2] if len(sys.argv) > 2 else "configs/experiments/rows.tsv")
    collections = collections_of(docs / "results", order)
    chosen = collections_of(docs / "results/dev", order)
    if not collections:
        sys.exit(f"{docs}/results has no results; make experiments leaves them")
    page = PREFACE.splitlines() + ["", *overview(collections)]
    for collection in collections.values():
        page += section(collection, chosen.get(collection.name))
        (docs / f"results/{collection.name}.svg").write_text(plot(collection))
    (docs / "results.md").write_text("\n".join(page).rstrip("\n") + "\n")
    (docs / "results.tsv").write_text(tsv(collections))


if __name__ == "__main__":
    main()
