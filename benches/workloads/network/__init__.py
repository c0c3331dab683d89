"""The network: a contestant serves, or asks, and a Rust program is the other end.

`load_process` runs that program, `servers` holds what asyncio offers to write a server with, `rows`
makes a workload of a server and a load. The other files list the workloads.
"""
