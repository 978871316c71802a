"""build/bench_peers.tsv, and the same for people."""
import csv

COLUMNS = ["work", "system", "precision", "rate", "retort_over_system", "unit", "retort_precision", "by_cpu", "busy",
           "setting", "agreement"]


def read(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write(path, rows):
    """These rows, and those of other works that are there."""
    works = {row["work"] for row in rows}
    rows = rows + [row for row in read(path) if row["work"] not in works]
    with open(f"{path}.new", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    path.with_name(f"{path.name}.new").rename(path)


def text(rows):
    return "\n".join("  ".join(f"{row[column]:>14}" for column in COLUMNS) for row in rows)
