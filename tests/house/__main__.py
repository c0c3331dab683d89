"""`python -m tests.house`: the arrows between the rooms of the extension."""

from .arrows import extension, render

print(render(extension()))
