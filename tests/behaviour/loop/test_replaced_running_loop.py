"""Code of ours that needs the running loop calls a function that has replaced asyncio's own.

trio-asyncio replaces it: its loop runs in a Trio task, and is the running loop only there.
"""

import asyncio
from unittest import mock

import pytest


class Asked(Exception):
    pass


@pytest.fixture
def refusing():
    """Has both functions raise, which is how a test sees that they are asked."""

    def refuse():
        raise Asked

    with (
        mock.patch("asyncio.events.get_running_loop", refuse),
        mock.patch("asyncio.events._get_running_loop", refuse),
    ):
        yield


def drive(coroutine):
    """Run a coroutine's first step without a loop, as a test sees what it asks for."""
    try:
        coroutine.send(None)
    finally:
        coroutine.close()


def test_sleep_asks(combinators, refusing):
    with pytest.raises(Asked):
        drive(combinators.sleep(1))


def test_primitives_ask_when_they_wait(sync, refusing):
    event, queue = sync.Event(), asyncio.Queue()
    with pytest.raises(Asked):
        drive(event.wait())
    with pytest.raises(Asked):
        drive(queue.get())


def test_deadlines_ask(scopes, refusing):
    with pytest.raises(Asked):
        scopes.timeout(1)


def test_streams_ask(combinators, refusing):
    with pytest.raises(Asked):
        drive(combinators.open_connection("127.0.0.1", 1))
