"""What the source tree looks like: its arrows, its circles, and where what must be rare stands.

`python -m tests.house` prints the arrows between the rooms of the extension. The rules that these
facts have to obey are tested by `tests/surface/test_house_rules.py`.
"""
