"""Who is measured, and how: each side is a process of its own, and all take turns.

A side reads requests from stdin, a line each, and answers each with a line:

    (at the start, when everything is loaded)    ready
    run NAME                                     seconds of the wall, seconds of all its threads
    keep NAME FILE                               kept: the result of the last run of NAME is in FILE

serve.py is this for Python, tests/peers/peers.c for retort.  Between requests a side waits and computes nothing.
"""
import math
import os
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version

THREADS = 2
SETTLE = 0.02  # seconds after a run in which the side's idle threads stop looking for work
KEPT = 0.75    # a setting that reaches less of its system's best one is not tried again
PACKAGES = {"PyTorch": "torch", "ONNX-Runtime": "onnxruntime", "OpenVINO": "openvino", "tokenizers": "tokenizers",
            "faiss": "faiss-cpu", "bm25s": "bm25s"}


class Side:
    """A process that answers."""

    def __init__(self, command, log, environment={}):
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith(("OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_"))}
        self.environment = {**inherited, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                            "TOKENIZERS_PARALLELISM": "false", **environment}
        self.command, self.log = [str(part) for part in command], log

    def start(self):
        with open(self.log, "w") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, text=True, env=self.environment)
        return self

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.command)} ended: see {self.log}")
        return line.strip()

    def wait(self):
        assert self.answer() == "ready", self.command
        return self

    def run(self, name):
        print("run", name, file=self.process.stdin, flush=True)
        wall, processor = map(float, self.answer().split())
        time.sleep(SETTLE)
        return wall, processor

    def keep(self, name, path):
        print("keep", name, path, file=self.process.stdin, flush=True)
        assert self.answer() == "kept", self.command

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Entry:
    """One setting of one system at one work."""

    work: str
    system: str
    precision: str
    setting: str
    side: Side
    run: str       # the side's name for it
    amount: float  # what one run does
    unit: str
    cores: int = THREADS
    once: bool = False  # takes so long that one round must do
    wall: float = math.inf
    processor: float = math.inf  # both: the least of the runs so far, each on its own
    busy: float = 0              # share of the cores that the run with the least wall had
    agreement: str = ""          # how near its results are to the other side's
    wrong: bool = False

    @property
    def rate(self):
        return self.amount / self.wall

    def agrees(self, right, how):
        self.wrong |= not right
        self.agreement = "; ".join(filter(None, [self.agreement, how]))

    def measure(self, seconds):
        began = time.perf_counter()
        while True:
            wall, processor = self.side.run(self.run)
            if wall < self.wall:
                self.wall, self.busy = wall, processor / (wall * self.cores)
            self.processor = min(self.processor, processor)
            if time.perf_counter() - began >= seconds:
                return


def wanted(work):
    only = os.environ.get("WORKS", "").split()
    return not only or work in only


def best_of(entries):
    """{(work, system, precision): its best entry}"""
    best = {}
    for entry in entries:
        key = entry.work, entry.system, entry.precision
        if key not in best or entry.rate > best[key].rate:
            best[key] = entry
    return best


def measure(entry, seconds, say):
    entry.measure(seconds)
    say(f"{entry.work:22} {entry.system:14} {entry.precision:5} {entry.rate:10.4g} {entry.unit:10} {entry.setting}")


def take_turns(entries, rounds, seconds, say):
    """After a first round of all settings: those that may be their system's best."""
    for _ in range(rounds):
        best = best_of(entries)
        for entry in entries:
            if not entry.once and entry.rate >= KEPT * best[entry.work, entry.system, entry.precision].rate:
                measure(entry, seconds, say)


def rows_of(entries):
    """A row for each system and precision of each work, beside retort's in the same precision, or else its fastest."""
    best, rows = best_of(entries), []
    for (work, system, precision), entry in best.items():
        own = [e for (w, s, _), e in best.items() if w == work and s == "retort"]
        own = [e for e in own if e.precision == precision] or sorted(own, key=lambda e: -e.rate)
        retort = own[0]
        rows.append({
            "work": work, "system": system, "precision": precision, "rate": f"{entry.rate:.6g}",
            "retort_over_system": f"{retort.rate / entry.rate:.3f}", "unit": entry.unit,
            "retort_precision": retort.precision,
            "by_cpu": f"{(entry.processor / entry.amount) / (retort.processor / retort.amount):.3f}",
            "busy": f"{entry.busy:.2f}", "setting": entry.setting, "agreement": entry.agreement,
            "version": "" if system == "retort" else version(PACKAGES[system])})
    return rows
