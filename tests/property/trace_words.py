"""Words for a trace: values, exceptions and reports as text that does not name their maker.

Addresses, counters and the private callbacks by which two implementations wire themselves differ by
right; everything else that a program can see is kept.
"""

import asyncio
import logging
import re

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_DEFAULT_NAME = re.compile(r"Task-\d+")
_CALLBACKS = re.compile(r" ?cb=\[.*?\](?=>| |$|\))")
_CREATED = re.compile(r" created at [^ >]+:\d+")
_PLACE = re.compile(r"[\w/.\-]+/([\w.]+):\d+")
# A shortened repr may lose its front or its middle, and with it the marks of the others.
_SHORTENED = re.compile(r"\.\.\.[^\s>)]*:\d+>")
_MODULE = re.compile(
    r"<(?:asyncio\.|_asyncio\.|greenloop\.|_native\.|tasks\.|futures\.|locks\.|queues\.|_Py)+"
)
# Our tasks wait for an awaitable itself where asyncio's wait for a future made for the occasion.
_WAIT = re.compile(
    r"wait_for=<(?:coroutine object [\w.<>]+ at 0x"
    r"|Future (?:pending|cancelled|finished result=(?:True|False|None)))>"
)

# The shape of what `describe` gives, for `without_texts` to know it by.
_BLANK = ("type", "text", "members", "cause", "context", "suppressed")

_LOST = ("was never retrieved", "was destroyed but it is pending")


def words(text: str) -> str:
    """Rewrite a text so that it reads the same whoever wrote it."""
    text = _CALLBACKS.sub("", text)
    text = _ADDRESS.sub("0x", text)
    text = _DEFAULT_NAME.sub("Task-N", text)
    text = _CREATED.sub("", text)
    text = _PLACE.sub(r"\1", text)
    text = _SHORTENED.sub("...>", text)
    return _WAIT.sub("wait_for=<a wait>", _MODULE.sub("<", text))


def describe(exception: BaseException | None, depth: int = 2) -> object:
    """Describe an exception with what it came from."""
    if exception is None:
        return None
    cause, context = exception.__cause__, exception.__context__
    inner = (
        [describe(one, depth - 1) for one in exception.exceptions]
        if isinstance(exception, BaseExceptionGroup)
        else None
    )
    if depth == 0:
        return type(exception).__name__
    return (
        type(exception).__name__,
        words(str(exception)),
        inner,
        describe(cause, depth - 1) if cause else None,
        describe(context, depth - 1) if context else None,
        exception.__suppress_context__,
    )


def outcome(future: asyncio.Future) -> object:
    """Describe what a future holds, marking its exception as retrieved."""
    if not future.done():
        return "pending"
    if future.cancelled():
        return "cancelled"
    if future.exception() is not None:
        return ("exception", describe(future.exception()))
    return ("result", words(repr(future.result())))


def without_texts(trace: object) -> object:
    """Blank every exception's text and implicit context in a trace."""
    if isinstance(trace, dict):
        return {key: without_texts(value) for key, value in trace.items()}
    if not isinstance(trace, list | tuple):
        return trace
    if len(trace) == len(_BLANK) and isinstance(trace[1], str) and isinstance(trace[5], bool):
        return (trace[0], "", without_texts(trace[2]), without_texts(trace[3]), None, trace[5])
    return [without_texts(one) for one in trace]


def kind_of(thing: object) -> str:
    """Tell what a thing is among what asyncio has, whatever its class is called."""
    for kind in (asyncio.TimerHandle, asyncio.Handle, asyncio.tasks._PyTask, asyncio.Task):
        if isinstance(thing, kind):
            return kind.__name__.removeprefix("_Py")
    return "Future" if asyncio.isfuture(thing) else type(thing).__name__


def is_lost(message: str) -> bool:
    """Whether a report is about an object whose last reference has gone."""
    return any(lost in message for lost in _LOST)


class Reports:
    """Collects what a loop reports: calls of its exception handler and lines of its logger.

    Reports of lost objects come whenever the last reference goes, which is each implementation's
    own affair; so they are kept apart, to be compared as a collection without order.
    """

    def __init__(self, record) -> None:
        self.lost: list[str] = []
        self._record = record
        self._log = _LogCollector(self)

    def __enter__(self) -> "Reports":
        logger = logging.getLogger("asyncio")
        self._kept = logger.propagate, logger.level
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(self._log)
        return self

    def __exit__(self, *exception) -> None:
        logger = logging.getLogger("asyncio")
        logger.removeHandler(self._log)
        logger.propagate, logger.level = self._kept

    def only_lost_ones_from_here(self) -> None:
        """Forget the trace; what comes now has no turn."""
        self._record = lambda *event: None

    def add(self, kind: str, message: str, *details: object) -> None:
        """Record a report in its turn, or among the lost ones."""
        if is_lost(message):
            self.lost.append(words(message))
        else:
            self._record(kind, words(message), *details)

    def from_context(self, context: dict) -> None:
        """Take a report as an exception handler gets it."""
        self.add(
            "report",
            context["message"],
            sorted(context),
            describe(context.get("exception")),
            {key: kind_of(context[key]) for key in ("task", "future", "handle") if key in context},
        )


class _LogCollector(logging.Handler):
    def __init__(self, reports: Reports) -> None:
        super().__init__(logging.WARNING)
        self._reports = reports

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith("Executing "):
            self._reports.add("log", message.partition("\n")[0])
