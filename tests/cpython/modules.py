"""Which modules of `test.test_asyncio` are run, and where they lie in this interpreter.

Left out are the modules about transports, streams, TLS, subprocesses and Windows: they need the
network API, or they test classes of the standard library that Greenloop does not replace.
"""

import importlib.util
from pathlib import Path

CANDIDATES = (
    "test_tasks",
    "test_events",
    "test_futures",
    "test_futures2",
    "test_base_events",
    "test_unix_events",
    "test_eager_task_factory",
    "test_free_threading",
    "test_graph",
    "test_taskgroups",
    "test_timeouts",
    "test_waitfor",
    "test_locks",
    "test_queues",
    "test_runners",
    "test_staggered",
    "test_threads",
    "test_context",
    "test_pep492",
    "test_buffered_proto",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_streams",
    "test_subprocess",
    "test_transports",
    "test_protocols",
)

# A worker takes about half a second to import a module, so only a long file is worth dividing.
# 40 kB of test source run for about four seconds.
BYTES_PER_SHARD = 40_000


def full_name(module: str) -> str:
    return f"test.test_asyncio.{module}"


def available() -> dict[str, int]:
    """The modules this interpreter has, each with the number of shards to run it in."""
    package = importlib.util.find_spec("test.test_asyncio")
    if package is None or not package.submodule_search_locations:
        raise SystemExit(
            "this interpreter comes without test.test_asyncio"
            " (Debian: install libpython3.x-testsuite)"
        )
    folder = Path(package.submodule_search_locations[0])
    found = {}
    for module in CANDIDATES:
        source = folder / f"{module}.py"
        if source.exists():
            found[module] = 1 + source.stat().st_size // BYTES_PER_SHARD
    return found
