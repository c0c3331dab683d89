"""The arguments that every command has which runs the suites of other projects."""

import argparse
from pathlib import Path


def parser(program: str, *, description: str, suite: str) -> argparse.ArgumentParser:
    """Read which suites and tests are run, and with which wheel.

    `program` is the name of its package, and `suite` a suite that it runs, as an example.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument(
        "--wheel", type=Path, required=True, help="Greenloop's wheel for this interpreter"
    )
    parser.add_argument("--suite", action="append", default=[], help=f"such as {suite}; repeatable")
    parser.add_argument("-k", metavar="PART", help="part of a test's name")
    parser.add_argument("--verbose", action="store_true", help="show whole tracebacks")
    return parser
