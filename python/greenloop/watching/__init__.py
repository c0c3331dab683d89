"""Watching this process while it runs: reports of what its tasks do, stalls, deadlocks.

A thread (`session`) looks at the tasks (`snapshot`) when another process asks
(`greenloop.monitoring`), and answers with what `docs/report-format.md` describes.
"""
