"""Answers requests (rounds.py) from Python: serve({name: a call that does one run and returns its result})."""
import os
import sys
import time


def serve(calls, save):
    """save(result, file): writes what a call returned."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    results = {}
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        verb, name, *rest = line.split()
        if verb == "run":
            wall, processor = time.perf_counter(), time.process_time()
            results[name] = calls[name]()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            print(wall, processor, file=answers, flush=True)
        else:
            save(results[name], rest[0])
            print("kept", file=answers, flush=True)
