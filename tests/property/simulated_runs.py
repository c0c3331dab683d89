"""Random programs on simulated loops, in this process and in another one.

As a program it is the other process: it answers each pair of a program and a token, which it reads
from its standard input, with the account of that run.
"""

import pickle
import subprocess
import sys
import warnings
from pathlib import Path

from loops_under_test import LoopUnderTest
from program_interpreter import trace_of
from random_programs import Program

import greenloop
from greenloop.testing import Schedule, end_simulation, simulate
from greenloop.testing.simulation import account


def simulated(schedule: Schedule, accounts: list | None = None) -> LoopUnderTest:
    """Make a loop under test that follows a schedule; its account is added when it is closed."""

    class Simulated(greenloop.EventLoop):
        def close(self) -> None:
            if not self.is_closed() and not self.is_running():
                if accounts is not None:
                    accounts.append(account(self))
                end_simulation(self)
            super().close()

    def new_loop() -> greenloop.EventLoop:
        loop = Simulated()
        simulate(loop, schedule)
        return loop

    return LoopUnderTest(
        "simulated",
        greenloop,
        new_loop,
        greenloop.Task,
        greenloop.Future,
        real_time=schedule.clock == "real",
    )


def told(program: Program, schedule: Schedule) -> tuple[str, str]:
    """Run a program under a schedule; return all that is told of the run, and its token."""
    accounts: list = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        trace = trace_of(program, simulated(schedule, accounts))
    (found,) = accounts
    run = (trace, found.steps, found.points, found.digest, found.diverged)
    return repr(run), str(found.schedule)


class OtherProcess:
    """Another process that runs programs under schedules."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> "OtherProcess":
        return self

    def __exit__(self, *exception) -> None:
        with self._process:
            self._process.stdin.close()
            self._process.wait(10)

    def told(self, program: Program, token: str) -> tuple[str, str]:
        """Do what `told` does, there."""
        pickle.dump((program, token), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def main() -> None:
    """Answer until there is nothing more to read."""
    while True:
        try:
            program, token = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(told(program, Schedule.parse(token)), sys.stdout.buffer)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
