"""Benchmarks: what one operation costs on Greenloop and on every other event loop.

`python -m benches` runs them. Each measurement is taken in a fresh process of its own and the
contestants take turns, so that a noisy minute of the machine falls on all of them; README.md says
how to read the numbers. Nothing here is part of the installed package.
"""
