"""retort beside its peers: rounds in which they take turns, results compared, a table.

    python scripts/bench_peers [PART...]       from the project's root: sh scripts/bench_peers.sh

Exits 1 where a result differs.
"""
import importlib
import os
import subprocess
import sys
from pathlib import Path

import rounds
import table

PARTS = ["encode", "tokenise", "train", "search", "lexical"]
ROUNDS, LEAST = int(os.environ.get("ROUNDS", "3")), float(os.environ.get("LEAST_SECONDS", "1"))
SCRATCH = Path("build/bench_peers")


def say(line):
    print(line, file=sys.stderr, flush=True)


def results_of(entries):
    """The first round, whose results are kept: {work: [(entry, file)]}, retort's first."""
    found = {}
    for number, entry in enumerate(entries):
        path = SCRATCH / f"result-{number}"
        rounds.measure(entry, 0, say)
        entry.side.keep(entry.run, path)
        found.setdefault(entry.work, []).append((entry, path))
    return found


def measure(name):
    """A part's rows, and how many results are wrong."""
    part = importlib.import_module(name)
    entries = part.entries(SCRATCH, lambda *words: subprocess.run([sys.executable, part.__file__, *words, SCRATCH],
                                                                  check=True))
    entries = [entry for entry in entries if rounds.wanted(entry.work)]
    if not entries:
        return [], 0
    sides = {id(entry.side): entry.side for entry in entries}.values()
    for side in sides:
        side.start()
    for side in sides:
        side.wait()
    found = results_of(entries)
    part.check(SCRATCH, found)
    for entry in entries:
        if entry.agreement:
            say(f"{'WRONG' if entry.wrong else 'right'}: {entry.work:18} {entry.system:14} {entry.precision:5} "
                f"{entry.setting}: {entry.agreement}")
    rounds.take_turns(entries, ROUNDS - 1, LEAST, say)
    for side in sides:
        side.close()
    for results in found.values():
        for _, path in results:
            path.unlink(missing_ok=True)
    return rounds.rows_of(entries), sum(entry.wrong for entry in entries)


def main():
    SCRATCH.mkdir(parents=True, exist_ok=True)
    rows, wrong = [], 0
    for name in sys.argv[1:] or PARTS:
        new, bad = measure(name)
        wrong += bad
        rows += new
        table.write(rows)
    print(table.text(table.read()))
    if wrong:
        say(f"{wrong} results are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
