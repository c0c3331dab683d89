"""The suites of asyncio libraries in many orders and in virtual time (see README.md)."""
