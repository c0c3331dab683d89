"""Testers of interleavings beside each other: `python -m benches.schedules`.

Three questions, and a part for each. How fast does a tester run a program (`speed`)? Which of the
twenty bugs in `tests/testing/zoo` does it find, and does it blame their mended twins (`zoo`)? Does
it blame programs that rely on what asyncio promises (`promises`)?
"""
