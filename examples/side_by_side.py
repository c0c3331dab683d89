"""Runs the million-message program on asyncio and on Greenloop, and shows the times side by side.

Each contestant is a fresh process of the same interpreter, running the same file; all that differs
is `-m greenloop` on its command line. The times are those the program measures itself.
"""

import argparse
import json
import pathlib
import subprocess
import sys

PROGRAM = pathlib.Path(__file__).with_name("million_messages.py")
CONTESTANTS = {
    "asyncio": [sys.executable],
    "Greenloop": [sys.executable, "-m", "greenloop"],
}


class ProgressLine:
    """One line that is rewritten on a terminal; elsewhere, a plain line every quarter."""

    def __init__(self, label, messages):
        self.label = label
        self.messages = messages
        self.rewrites = sys.stdout.isatty()
        self.quarters = 0

    def show(self, arrived):
        share = arrived / self.messages
        if self.rewrites:
            bar = ("#" * int(share * 30)).ljust(30, ".")
            print(f"\r{self.label:>10} [{bar}] {share:4.0%}", end="", flush=True)
        elif int(share * 4) > self.quarters:
            self.quarters = int(share * 4)
            print(f"{self.label:>10} {share:4.0%}", flush=True)

    def close(self):
        if self.rewrites:
            print()


def run(label, command, messages):
    line = ProgressLine(label, messages)
    line.show(0)
    process = subprocess.Popen(
        [*command, str(PROGRAM), "--progress", "--messages", str(messages)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    complaints = []
    for text in process.stderr:
        if text.strip().isdecimal():
            line.show(int(text))
        else:
            complaints.append(text)
    output = process.stdout.read()
    line.close()
    if process.wait() != 0:
        sys.exit(f"{label} failed:\n{''.join(complaints)}")
    return json.loads(output)


def print_table(results):
    heading = ("", "CPU s", "wall s", "ns a message", "times as fast")
    rows = []
    reference = results["asyncio"]["cpu_seconds"]
    for label, result in results.items():
        nanoseconds = result["cpu_seconds"] / result["messages"] * 1e9
        ratio = reference / result["cpu_seconds"]
        rows.append(
            (
                label,
                f"{result['cpu_seconds']:.2f}",
                f"{result['wall_seconds']:.2f}",
                f"{nanoseconds:,.0f}",
                f"{ratio:.1f}",
            )
        )
    print()
    for row in (heading, *rows):
        print(f"{row[0]:>10}" + "".join(f"{cell:>15}" for cell in row[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    messages = parser.parse_args().messages

    version = sys.version.split()[0]
    print(f"{messages:,} messages through a queue that holds one, on CPython {version}")
    results = {label: run(label, command, messages) for label, command in CONTESTANTS.items()}
    if len({result["total"] for result in results.values()}) != 1:
        sys.exit(f"the two do not agree on what arrived: {results}")
    print_table(results)


if __name__ == "__main__":
    main()
