"""What a release has to fulfil, as checks: `make release-check`, or `python -m release`.

Each module is one check. It is given the root of a source tree, and yields refusals: sentences that
say what is wrong. `docs/contributing/releasing.md` is the procedure around it.
"""
