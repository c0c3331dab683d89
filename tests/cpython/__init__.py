"""Runs the interpreter's own `test.test_asyncio` on Greenloop; README.md tells the story."""
