"""Runs a scenario on asyncio and on Greenloop and compares all that can be seen of it."""

import asyncio
import gc
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import greenloop

_STEP = re.compile(r"<?(_asyncio\.)?(TaskStepMethWrapper object|Task\.\w*step)")


@dataclass(frozen=True)
class Contestant:
    """A loop with the classes that belong to it."""

    name: str
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    task: type
    future: type
    # Where queues, locks, combinators and scopes are taken from.
    api: ModuleType


ASYNCIO = Contestant("asyncio", asyncio.SelectorEventLoop, asyncio.Task, asyncio.Future, asyncio)
GREENLOOP = Contestant(
    "greenloop", greenloop.new_event_loop, greenloop.Task, greenloop.Future, greenloop
)
# Our primitives on asyncio's loop, waited for by asyncio's tasks.
NATIVE_ON_ASYNCIO = Contestant(
    "native-on-asyncio", asyncio.SelectorEventLoop, asyncio.Task, asyncio.Future, greenloop
)


@dataclass
class Observation:
    """What happened: the result or exception, what the exception handler and the logger got."""

    result: object = None
    exception: type | None = None
    text: str | None = None
    reports: list[tuple] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    usable: bool = False


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage().partition(":")[0].partition(" <")[0])


def observe(scenario: Callable, contestant: Contestant, *, texts: bool = True) -> Observation:
    """Run `scenario(loop, contestant)` on a fresh loop, which must still run unless closed."""
    observation = Observation()
    collector, logger = _Collector(observation.logged), logging.getLogger("asyncio")
    logger.addHandler(collector)
    loop = contestant.new_loop()

    def handler(loop: asyncio.AbstractEventLoop, context: dict) -> None:
        error = context.get("exception")
        # The words behind the first " at " or "(" are the place, which is each one's own.
        message = context["message"].partition(" at ")[0].partition("(")[0]
        # What a task's step is called is nobody's promise, and differs from version to version.
        message = _STEP.sub("a step", message)
        # What continues a task has no name that a program could know.
        for step in ("<_asyncio.TaskStepMethWrapper object", "Task.task_step"):
            message = message.replace(step, "a step")
        observation.reports.append((message, sorted(context), type(error), str(error)))

    loop.set_exception_handler(handler)
    try:
        observation.result = scenario(loop, contestant)
    except BaseException as error:
        observation.exception = type(error)
        observation.text = str(error) if texts else None
    finally:
        gc.collect()
        if not loop.is_closed():
            loop.run_until_complete(_give())
            loop.close()
            observation.usable = True
        logger.removeHandler(collector)
    return observation


async def _give() -> None:
    await asyncio.sleep(0)


def assert_same(scenario: Callable, *, texts: bool = True) -> None:
    """Compare what asyncio and Greenloop make of a scenario."""
    expected = observe(scenario, ASYNCIO, texts=texts)
    assert observe(scenario, GREENLOOP, texts=texts) == expected


def assert_same_primitives(scenario: Callable) -> None:
    """Compare what asyncio's primitives and ours make of a scenario, ours on either loop."""
    expected = observe(scenario, ASYNCIO)
    for contestant in (GREENLOOP, NATIVE_ON_ASYNCIO):
        assert observe(scenario, contestant) == expected, contestant.name
