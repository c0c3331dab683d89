"""Runs the fuzzer's worlds of some seeds in this process.

    python tests/stress/fuzz_worker.py FIRST [COUNT] [--trace]

Each seed is written to standard output before its world begins, so that a reader knows which
one ended the process. A world that hangs ends it too, with the stacks of all threads.
"""

import argparse
import faulthandler
import gc
import logging
import os
import resource
import signal
import sys
import threading
import warnings

from fuzz_world import PATIENCE, Overdue, World

HANGING = 30


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    # What allocates without measure gets a MemoryError, and the machine goes on.
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    # Worlds may close any number; this one is out of their reach.
    report = os.dup(1)
    signal.signal(signal.SIGALRM, interrupt)
    gc.collect()
    gc.freeze()
    overdue = 0
    for seed in range(options.first, options.first + options.count):
        os.write(report, f"seed {seed}\n".encode())
        faulthandler.dump_traceback_later(HANGING, exit=True)
        world = World(seed)
        # Collections come at the same moments each time, and in some worlds at every other moment.
        gc.collect()
        gc.set_threshold(world.rng.choice([1, 10, 100, 700]))
        if options.trace:
            world.trace = lambda depth, *words: os.write(
                report, f"{'  ' * depth}{' '.join(map(str, words))}\n".encode()
            )
        sys.unraisablehook = lambda args, world=world: world.saw(args.exc_value)
        threading.excepthook = sys.unraisablehook
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, PATIENCE)
        try:
            world.run()
        except Overdue:
            overdue += 1
            os.write(report, b"overdue\n")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        world.over = True
        problems = world.problems
        del world
        faulthandler.dump_traceback_later(HANGING, exit=True)
        gc.collect()
        for problem in problems:
            os.write(report, f"problem {problem!r}\n".encode())
    faulthandler.cancel_dump_traceback_later()
    os.write(report, b"done\n")
    os._exit(0)


def interrupt(number, frame):
    raise Overdue


if __name__ == "__main__":
    main()
