"""The workloads, one file per part of asyncio, each workload a small coroutine function.

`definition` says what a workload is, `catalogue` lists all of them. A workload uses public names
of `asyncio` by attribute (`asyncio.sleep`, never `from asyncio import sleep`), as the programs it
stands for do, so that a contestant that replaces these names process-wide is measured with its own.
"""
