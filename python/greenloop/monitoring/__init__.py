"""Asking watched processes, and showing what they tell: `python -m greenloop ps` and so on.

A question and its answer are in `client`, the commands above it in `command`. The answer is what
`docs/report-format.md` describes; it comes from another process, and is not trusted.
"""
