"""Runs the test suites of uvloop, aiohttp, websockets, uvicorn and AnyIO; README.md tells how."""
