"""Runs the experiments row by row: configs/experiments/rows.tsv, written by scripts/experiment_jobs.py.

    python3 scripts/experiments.py [--split dev] [--seeds '13 14'] [--set KEY=VALUE]... [ROW...]    from the root

A row whose results file is there is skipped; a row that was killed goes on.  Run folders are runs/experiments/ROW/SEED
and stay out of git; each finished row leaves docs/results/ROW.tsv, which scripts/results.py makes the tables of.

--split dev is for choosing: part of the train queries take the place of the dev split, the dev split that of the test
split, which is not looked at.  It leaves docs/results/dev/ROW.tsv, and run folders under runs/experiments/dev.

A results file has lines of words divided by tabs:
    fact     NAME  VALUE...
    value    SYSTEM  LAYERS  DIM  MEASURE  SEED  MEAN  LOW  HIGH     of a run's grid.tsv; 0: no layers (BM25)
    queries  SYSTEM  LAYERS  DIM  MEASURE  VALUE...                 per query, by rising id, the mean over seeds
    draws    SYSTEM  LAYERS  DIM  MEASURE  VALUE...                 of sentence pairs: per resample, the mean over seeds
"""
import argparse
import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import defaultdict
from pathlib import Path

import spearman

CONFIGS = Path(os.environ.get("CONFIGS", "configs/experiments"))
RUNS = Path(os.environ.get("RUNS", "runs/experiments"))
RESULTS = Path(os.environ.get("RESULTS", "docs/results"))
RETORT = os.environ.get("RETORT", "./retort")
MEASURE = "ndcg_cut_10"
DRAWS, SEED = int(os.environ.get("DRAWS", "1000")), 13  # of Spearman's correlation
# What a row takes of the collection's row `start`: the teacher's part, equal for equal keys (retort looks).
SHARED = ["stages/embed", "stages/mine", "stages/score", "representations", "targets", "pca.safetensors", "probe.tsv",
          "candidates.trec", "scores.trec", "scores.tsv", "scores.cache"]
# What nobody needs of a measured run.
LARGE = ["train/*.checkpoint.safetensors", "train/*.best.safetensors", "train/distil.safetensors",
         "train/no-teacher.safetensors", "representations/*.npy", "targets/*.npy", "scores.cache",
         "export/model.safetensors"]


def say(line):
    print(f"experiments: {line}", file=sys.stderr, flush=True)


def table(path):
    """Rows of a TSV file as dictionaries, and its lines that begin with "# "."""
    lines = path.read_text().splitlines()
    head, *rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [dict(zip(head, row)) for row in rows], [line[2:].split("\t") for line in lines if line.startswith("# ")]


# ---- collections ----

def member(path, name):
    """A file of a collection, a folder or an archive."""
    path = Path(path)
    if path.is_dir():
        return (path / name).read_bytes()
    try:
        with tarfile.open(path) as archive:
            for found in archive.getmembers():
                if f"/{found.name}".endswith(f"/{name}"):
                    return archive.extractfile(found).read()
    except (tarfile.TarError, EOFError) as error:
        raise OSError(errno.EINVAL, "neither a folder nor a whole archive", str(path)) from error
    raise FileNotFoundError(errno.ENOENT, f"it has no {name}", str(path))


def qrels(collection, split):
    """{query: {document: grade}} of relevant documents."""
    out = defaultdict(dict)
    for line in member(collection, f"qrels/{split}.tsv").decode().splitlines():
        query, document, grade = line.split("\t")
        if grade.strip().isdigit() and int(grade) > 0:
            out[query][document] = int(grade)
    return dict(out)


def key_of(run, key):
    """A key of the second level, of the job that a run wrote."""
    section, name = key.split(".")
    found = re.search(rf"^{section}:\n(?:  .*\n)*?  {name}: (.*)$", (run / "job.yaml").read_text(), re.M)
    return found.group(1).strip('"') if found else None


# ---- running ----

class Stopped(Exception):
    """A command failed; interrupted: by the user."""
    def __init__(self, command, status, interrupted):
        super().__init__(f"{' '.join(map(str, command))}: exit status {status}")
        self.interrupted = interrupted


def interrupt(*_):
    raise KeyboardInterrupt


def record(run, costs):
    """cost.tsv: a line a call: its exit status, seconds, peak memory in KiB."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "cost.new").write_text("".join("\t".join(map(str, cost)) + "\n" for cost in costs))
    (run / "cost.new").rename(run / "cost.tsv")


def costs_of(run):
    path = run / "cost.tsv"
    return [tuple(map(float, line.split("\t"))) for line in path.read_text().splitlines()] if path.exists() else []


def call(run, command, environment=None):
    """Runs a command whose cost is the run's; what is killed was paid for, too."""
    before, start = costs_of(run), time.monotonic()
    child = subprocess.Popen([str(word) for word in command], env=environment)
    pid, ticks, interrupted = 0, 0, False
    try:
        while not pid:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if not pid:
                if ticks % 100 == 0:
                    record(run, [*before, (-1, round(time.monotonic() - start, 1), 0)])
                ticks += 1
                time.sleep(0.1)
    except KeyboardInterrupt:
        interrupted = True
        child.terminate()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    record(run, [*before, (child.returncode, round(time.monotonic() - start, 1), usage.ru_maxrss)])
    if child.returncode:
        raise Stopped(command, child.returncode, interrupted)


def copy(source, run, names):
    for name in names:
        at = run / name
        at.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, at, dirs_exist_ok=True)
        elif (source / name).exists():
            shutil.copy2(source / name, at)


def retort(name, seed, settings, *more):
    run = RUNS / name / seed
    words = [word for setting in settings for word in ("--set", setting)]
    call(run, [RETORT, "run", "--quiet", CONFIGS / f"{name}.yaml", "--set", f"seed={seed}", "--output", run, *words,
               *more])


def share(collection, seed, run, settings):
    """Gives a new run the teacher's part, made once for a collection and seed."""
    start = RUNS / f"{collection}-start" / seed
    if run == start or (run / "stages/score").exists():
        return
    if not (start / "stages/score").exists():
        others = sorted({*start.parent.glob("*/scores.cache")} - {start / "scores.cache"})  # another seed's serve
        if others:
            copy(others[0].parent, start, ["scores.cache"])
        retort(start.parent.name, seed, settings, "--until", "score")
    copy(start, run, SHARED)


def sentence_transformers(name, seed, words, split):
    python = subprocess.run(["sh", "scripts/venv.sh", "accelerate==1.15.0", "datasets==5.2.0"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    environment.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    source, *losses = words
    call(RUNS / name / seed, [python, "scripts/compare_st.py", RUNS / source / seed, *losses, "--split", split,
                              "--output", RUNS / name / seed], environment)


def run_row(row, seed, settings, split):
    """A row of sentence-transformers reads the run of a row of retort's."""
    of, *words = row["program"].split()
    name = words[0] if words else row["row"]
    if of == "retort" or not (RUNS / name / seed / "stages/report").exists():
        share(row["collection"], seed, RUNS / name / seed, settings)
        retort(name, seed, settings)
    if words and not (RUNS / row["row"] / seed / "grid.tsv").exists():
        sentence_transformers(row["row"], seed, words, split)


# ---- what a row leaves ----

def points_of(run, taps):
    """(system, layers, dim, measure, values) of the grid at these taps; 0 where a system has none."""
    rows, _ = table(run / "grid.tsv")
    measure = list(rows[0])[3]
    for row in rows:
        layers, dim = int(row["layers"] or 0), int(row["dim"] or 0)
        if (layers, dim) in taps:
            yield row["system"], layers, dim, measure, [row[measure], row[f"{measure}_low"], row[f"{measure}_high"]]


def write_judgements(path, judged):
    """{query: {document: grade}} as retort metrics reads it."""
    path.write_text("".join(f"{q}\t{d}\t{grade}\n" for q in sorted(judged) for d, grade in judged[q].items()))
    return path


def file_of(run, folder, system, layers, dim, suffix):
    """What evaluate left of a system at a point."""
    return run / folder / (f"{system}-l{layers}-d{dim}.{suffix}" if layers else f"{system}.{suffix}")


def per_query(judged, judgements, path):
    """nDCG@10 of every judged query in a TREC run, by rising id; 0 where nothing is found for it."""
    said = subprocess.run([RETORT, "metrics", "-q", "-m", MEASURE, judgements, path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    values = {query: float(value) for _, query, value in (line.split("\t") for line in said.splitlines())}
    return [values.get(query, 0) for query in sorted(judged)]


def of_queries(runs, points, judged):
    """Lines `queries` of these points."""
    judgements = write_judgements(runs[0] / "judgements.tsv", judged)
    for point in points:
        columns = zip(*(per_query(judged, judgements, file_of(run, "trec", *point, "trec")) for run in runs))
        yield ["queries", *point, MEASURE, *means(columns)]


def labels_and_scores(path):
    _, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [[float(value) for value in column] for column in zip(*rows)]


def of_pairs(runs, points):
    """A fact that says which pairs these are, and lines `draws` of these points."""
    labels, drawn = None, {point: [] for point in points}
    for run in runs:
        columns = [labels_and_scores(file_of(run, "pairs", *point, "tsv")) for point in points]
        labels = columns[0][0]
        for point, values in zip(points, spearman.resampled(labels, [scores for _, scores in columns], DRAWS, SEED)):
            drawn[point].append(values)
    yield ["fact", "queries", digest(f"{label:g}" for label in labels)]
    for point, of_seeds in drawn.items():
        yield ["draws", *point, "spearman", *means(zip(*of_seeds))]


def digest(words):
    return hashlib.md5("\n".join(words).encode()).hexdigest()


def means(columns):
    return [f"{sum(column) / len(column):.4f}".rstrip("0").rstrip(".") for column in columns]


def seconds_of(run, stages):
    """As the stages' marks have it; and what was killed on the way."""
    marks = [run / "stages" / stage for stage in stages]
    return sum(float(mark.read_text().split("\t")[1]) for mark in marks if mark.exists())


def facts_of(row, source, runs, notes):
    """What a row cost, as means over its seeds, and what it was made from."""
    def mean(of):
        return sum(map(of, runs)) / len(runs)

    def steps_of(path):
        return path.read_text().splitlines()[-1].split("\t")[2] if path.exists() else "step"

    # What retort was killed in it goes on with; sentence-transformers begins again.
    goes_on = row["program"] == "retort"
    lost = mean(lambda run: sum(seconds for status, seconds, _ in costs_of(run) if status and goes_on))
    train = mean(lambda run: seconds_of(run, ["train"])) + lost
    steps = [steps_of(source[0] / f"train/{name}.tsv") for name in ("hpd", "distil")]
    return {"collection": row["collection"], "group": row["group"], "system": row["system"], "seeds": row["seeds"],
            **{name: "\t".join(values) for name, values in notes.items()},
            "steps": " + ".join(step for step in steps if step != "step") or 0,  # a log of its head alone
            "pairs_scored": sum(1 for _ in open(source[0] / "scores.trec")) if (source[0] / "scores.trec").exists()
            else 0,
            "teacher_minutes": f"{mean(lambda run: seconds_of(run, ['embed', 'mine', 'score'])) / 60:.1f}",
            "train_minutes": f"{train / 60:.1f}",
            "minutes": f"{(train + mean(lambda run: seconds_of(run, ['evaluate', 'export', 'report']))) / 60:.1f}",
            "peak_megabytes": f"{max(peak for run in runs for _, _, peak in costs_of(run)) / 1024:.0f}",
            "processor": processor()}


def processor():
    """Its name, and the instructions that retort uses of it: minutes are comparable where both are the same."""
    said = subprocess.run([RETORT, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()).group(1)
    return f"{name}, {re.search('kernels (.*)', said).group(1)}"


def collect(row, settings, split, notes, path):
    runs = [RUNS / row["row"] / seed for seed in row["seeds"].split()]
    source = runs if row["program"] == "retort" else [RUNS / row["program"].split()[1] / row["seeds"]]
    lines = [["fact", name, value] for name, value in facts_of(row, source, runs, notes).items()]
    lines.append(["fact", "split", split])
    lines += [["fact", "setting", setting] for setting in settings]
    points, taps = {}, [(0, 0), *(tuple(map(int, tap.split(","))) for tap in notes["taps"])]
    own = key_of(source[0], "student.taps") if row["group"] == "separate" else None
    for run, seed in zip(runs, row["seeds"].split()):
        for system, layers, dim, measure, values in points_of(run, taps):
            if own and system == "student" and f"[{layers}, {dim}]" not in own:
                continue  # that size has a model of its own
            lines.append(["value", system, layers, dim, measure, seed, *values])
            points[system, layers, dim] = measure
    if MEASURE in points.values():
        judged = qrels(key_of(source[0], "data.collection"), split)
        lines.append(["fact", "queries", digest(sorted(judged))])
        lines += of_queries(runs, points, judged)
    else:
        lines += of_pairs(runs, points)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    part.rename(path)


def tidy(row):
    for seed in row["seeds"].split():
        for pattern in LARGE:
            for path in (RUNS / row["row"] / seed).glob(pattern):
                path.unlink()


def belongs(row, split):
    """Additions are for choosing, so not for the test split; nothing is chosen by sentence-transformers' rows."""
    return row["group"] != "addition" if split == "test" else row["program"] == "retort"


def main():
    global RUNS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="test")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a job key for every row")
    parser.add_argument("--seeds", help="instead of a row's own, as --seeds '13 14'")
    parser.add_argument("rows", nargs="*", help="all of them")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    rows, notes = table(CONFIGS / "rows.tsv")
    notes = {name: values for name, *values in notes}
    unknown = {*wanted.rows} - {row["row"] for row in rows}
    if unknown:
        parser.error(f"no such row: {' '.join(unknown)}")
    left_out = {*wanted.rows} & {row["row"] for row in rows if not belongs(row, wanted.split)}
    if left_out:
        parser.error(f"not measured on the {wanted.split} split: {' '.join(sorted(left_out))}")
    results, settings = RESULTS, wanted.settings
    if wanted.split != "test":
        results, RUNS = RESULTS / wanted.split, RUNS / wanted.split
        settings = [*settings, f"data.test_split={wanted.split}", "data.dev_split=of-train"]
    failed = 0
    for row in rows:
        path = results / f"{row['row']}.tsv"
        if path.exists() or (wanted.rows and row["row"] not in wanted.rows):
            continue
        if not belongs(row, wanted.split):
            continue
        row["seeds"] = wanted.seeds or row["seeds"]
        say(f"{row['row']}: about {row['minutes']} minutes")
        try:
            for seed in row["seeds"].split():
                run_row(row, seed, settings, wanted.split)
            collect(row, wanted.settings, wanted.split, notes, path)
        except Stopped as why:
            say(why)
            if why.interrupted:
                return 130
            failed += 1
            continue
        if wanted.split == "test" and row["system"] != "start":
            tidy(row)
        say(f"{row['row']}: {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
