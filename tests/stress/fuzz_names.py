"""The classes, functions and names that the fuzzer tries."""

import asyncio

import greenloop
from greenloop import _native

CLASSES = sorted(
    {
        value
        for module in (greenloop, _native)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__.startswith("greenloop")
    },
    key=lambda cls: (cls.__module__, cls.__qualname__),
)
# Ours derive from these, whose methods can be called on ours as well.
BASES = [
    asyncio.Future,
    asyncio.Task,
    asyncio.Handle,
    asyncio.TimerHandle,
    asyncio.Transport,
    object,
]
# CPython's own method reads a null pointer, also of a bare task of its own.
CRASHES_BY_ITSELF = asyncio.Task, "get_context"
# These run or wait until they are stopped, start processes or write files; the world has its own
# operations for some of them.
LEFT_OUT = {
    "run_forever", "run_until_complete", "run", "_run_once", "_run_forever_setup", "to_thread",
    "subprocess_exec", "subprocess_shell", "create_subprocess_exec", "create_subprocess_shell",
    "shutdown_default_executor", "install", "uninstall", "set_event_loop_policy",
    "_next_order", "flight_recorder",
    "__class_getitem__", "__init_subclass__", "__subclasshook__",
}  # fmt: skip
FUNCTIONS = sorted(
    (module.__name__, name)
    for module in (greenloop, _native)
    for name, value in vars(module).items()
    if callable(value)
    and not isinstance(value, type)
    and name not in LEFT_OUT
    and not name.startswith("__")
    and (getattr(value, "__module__", None) or "").startswith("greenloop")
)
KEYWORDS = [
    "loop", "context", "limit", "timeout", "delay", "when", "result", "name", "eager_start", "args",
    "return_when", "sock", "ssl", "return_exceptions", "maxsize", "value", "lock", "parties", "n",
    "msg", "callback", "coro", "server_hostname", "server_side", "host", "port", "path", "file",
    "exc", "separator", "high", "low", "data", "reader", "transport", "protocol", "handler",
    "client_connected_cb", "ssl_handshake_timeout", "unknown",
]  # fmt: skip
NAMES = [
    "\ud800",
    "",
    "nul\0nul",
    "of_mine",
    "__dict__",
    "__class__",
    "__weakref__",
    "__doc__",
    "__module__",
]
