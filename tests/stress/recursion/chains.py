"""Chains of everything that holds, awaits, cancels or calls another of its kind.

A program of its own, which the tests start: `python chains.py LENGTH NAME ...`. It builds each
chain, does what would be a call inside of a call for each link, and prints what came of it. That
happens in threads with small stacks, which a recursion without a bound does not survive. Where the
interpreter itself needs more (up to 3.13 it calls itself ten thousand times to end a chain of
exceptions) the stack is that of an ordinary main thread, and the chain longer.
"""

import asyncio
import sys
import threading
import warnings

import chains_of_awaiters
import chains_of_callers
import chains_of_holders
from registry import CHAINS, ON_ORDINARY_STACK

import greenloop

# Each of them registers its own.
KINDS = (chains_of_awaiters, chains_of_callers, chains_of_holders)

SMALL = 256 * 1024
ORDINARY = 8 * 1024 * 1024
# A call takes more than 16 bytes, so that a recursion as deep as this does not fit into it.
LONG_ENOUGH = ORDINARY // 16


def run(name, length):
    """Run a chain in a thread of its own, on a loop of its own."""
    said = []

    def run_chain():
        loop = greenloop.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda loop, context: None)
        try:
            said.append(CHAINS[name](loop, length))
        finally:
            loop.close()

    threading.stack_size(ORDINARY if name in ON_ORDINARY_STACK else SMALL)
    thread = threading.Thread(target=run_chain)
    thread.start()
    thread.join()
    return said[0] if said else "raised"


def main(length, names):
    greenloop.install()
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda report: None
    # The stack is to end first, and not the interpreter's count of Python's frames.
    sys.setrecursionlimit(20_000)
    long = max(length, min(4 * length, LONG_ENOUGH))
    for name in names:
        print(name, flush=True)
        print(run(name, long if name in ON_ORDINARY_STACK else length), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
