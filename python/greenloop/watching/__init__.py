"""Watching a program while it runs: reports of what its tasks do, stalls, deadlocks.

The process that is watched has a thread (`session`), which looks at tasks (`snapshot`) when
somebody asks. Those who ask are other processes (`client`, with `command` above it), and see what
`docs/report-format.md` describes.
"""
