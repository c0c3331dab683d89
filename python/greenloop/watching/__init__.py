"""Watching this process while it runs: reports of what its tasks do, stalls, deadlocks.

A thread (`session`) looks at the tasks (`snapshot`) when somebody asks. Those who ask are other
processes (`greenloop.monitoring`), and are told what `docs/report-format.md` describes.
"""
