"""build/bench_peers.tsv, and the same for people.

    python3 scripts/bench_peers/table.py FILE.md        puts it between the file's marks "speed"
"""
import csv
import os
import re
import sys
from pathlib import Path

TSV = Path("build/bench_peers.tsv")
COLUMNS = ["work", "system", "precision", "rate", "retort_over_system", "unit", "retort_precision", "by_cpu", "busy",
           "setting", "agreement", "version"]
ENCODER = {"mix-sorted": "mix, sorted", "mix-unsorted": "mix, unsorted", "embed-64": "64 tokens",
           "embed-128": "128 tokens", "embed-512": "512 tokens", "latency-16": "one text of 16"}
OTHERS = {
    "train-64": "training, 64 tokens",
    "train-mix-sorted": "training, mix, batches of like lengths",
    "train-mix-shuffled": "training, mix, shuffled batches",
    "tokenise": "tokenising nfcorpus, one core",
    "search-one-1-core": "search, one query at a time, one core",
    "search-one": "search, one query at a time",
    "search-many-1-core": "search, 256 queries, one core",
    "search-many": "search, 256 queries",
    "bm25-build-nfcorpus": "BM25, building, nfcorpus",
    "bm25-query-nfcorpus": "BM25, queries, nfcorpus",
    "bm25-build-zipf-1m": "BM25, building, a million documents",
    "bm25-query-zipf-1m": "BM25, queries, a million documents",
}
WORKS = [*ENCODER, *OTHERS]


def read():
    if not TSV.exists():
        return []
    with open(TSV, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write(rows):
    """These rows, and those of other works that are there."""
    works = {row["work"] for row in rows}
    rows = sorted(rows + [row for row in read() if row["work"] not in works], key=lambda row: WORKS.index(row["work"]))
    new = TSV.with_name(f"{TSV.name}.new")
    with open(new, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.rename(TSV)


def text(rows):
    """For a terminal."""
    shown = COLUMNS[:-1]
    widths = [max(len(row[column]) for row in [dict(zip(COLUMNS, COLUMNS)), *rows]) for column in shown]
    lines = [[*shown], *([row[column] for column in shown] for row in rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def number(rate):
    return f"{rate:,.0f}".replace(",", " ") if rate >= 100 else f"{rate:.3g}"


def encoder_table(rows):
    """A line a system, a column a work: its rate, and retort's over it."""
    cells = {(row["work"], row["system"], row["precision"]): row for row in rows if row["work"] in ENCODER}
    works = [work for work in ENCODER if any(key[0] == work for key in cells)]
    yield "| texts/s | " + " | ".join(ENCODER[work] for work in works) + " |"
    yield "|---" * (1 + len(works)) + "|"
    for system, precision in dict.fromkeys(key[1:] for key in cells):
        line = []
        for work in works:
            row = cells.get((work, system, precision))
            ratio = f" ({row['retort_over_system']})" if row and system != "retort" else ""
            line.append(number(float(row["rate"])) + ratio if row else "")
        name = f"{system.replace('-', ' ')} {precision}"
        yield f"| {f'**{name}**' if system == 'retort' else name} | " + " | ".join(line) + " |"


def other_table(rows):
    yield "| | | retort | the other | | retort over it |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        if row["work"] in OTHERS and row["system"] != "retort":
            rate, ratio = float(row["rate"]), float(row["retort_over_system"])
            precision = "" if row["precision"] == "-" else f" {row['precision']}"
            yield (f"| {OTHERS[row['work']]} | {row['unit']} | {number(rate * ratio)} | {number(rate)} |"
                   f" {row['system']}{precision} | {ratio:.2f} |")


def processor():
    return re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()).group(1)


def markdown(rows):
    versions = sorted({f"{row['system'].replace('-', ' ')} {row['version']}" for row in rows if row["version"]})
    yield f"On {processor()}, {os.cpu_count()} cores, two threads: `sh scripts/bench_peers.sh`. {', '.join(versions)}."
    yield ""
    if any(row["work"] in ENCODER for row in rows):
        yield from encoder_table(rows)
        yield ""
    yield from other_table(rows)


def put_into(path):
    parts = re.split("(?s)(?<=<!-- speed begins -->\n)(.*)(?=<!-- speed ends -->)",
                     path.read_text() if path.exists() else "")
    if len(parts) != 3:
        sys.exit(f"{path}: has no lines <!-- speed begins --> and <!-- speed ends --> to put the tables between")
    before, _, after = parts
    path.write_text(before + "".join(line + "\n" for line in markdown(read())) + after)


if __name__ == "__main__":
    put_into(Path(sys.argv[1]))
