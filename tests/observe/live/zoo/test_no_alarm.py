"""Programs that finish are never called dead, whichever way leads to what they wait for."""

from __future__ import annotations

import asyncio
import time
import weakref

import pytest
from alarms import alarms_of

import greenloop
from greenloop.watching import deadlock_reports

PROGRAMS = 200
"""How many random programs; by hand there were 10,000."""

pytestmark = pytest.mark.usefixtures("runtime_folder")

registry = weakref.WeakSet()


@pytest.mark.slow
def test_random_programs_that_finish_give_no_alarm():
    alarms = alarms_of(range(PROGRAMS))
    assert alarms == []


def found_in(wait, monkeypatch):
    """Search while a task waits in `wait()`, and return whether it is found dead."""
    monkeypatch.setattr(deadlock_reports, "LEAST_AGE", 0)

    async def main():
        task = asyncio.create_task(wait(), name="waiter")
        await asyncio.sleep(0.01)
        found = deadlock_reports.DeadlockReports()._look()
        task.cancel()
        await asyncio.wait([task])
        return bool(found)

    with greenloop.watch(3600):
        return greenloop.run(main())


async def wait_for_event():
    event = greenloop.Event()
    await event.wait()


async def wait_for_named_event():
    event = greenloop.Event()
    greenloop.name(event, "reply")
    await event.wait()


async def wait_for_registered_event():
    event = greenloop.Event()
    registry.add(event)
    await event.wait()


class Connection:
    """Something that has an event."""

    def __init__(self):
        self.event = greenloop.Event()


async def wait_for_event_of_registered_object():
    connection = Connection()
    registry.add(connection)
    await connection.event.wait()


async def wait_for_event_that_goes_with_an_object():
    event = greenloop.Event()
    connection = Connection()
    asyncio.get_running_loop().call_later(60, lambda held: held, connection)
    reference = weakref.ref(connection, lambda _: event.set())
    del connection
    await event.wait()
    del reference


async def wait_for_future_on_purpose():
    await asyncio.get_running_loop().create_future()


async def wait_for_event_on_purpose():
    await greenloop.Event().wait()


async def wait_for_asyncios_event_on_purpose():
    await asyncio.Event().wait()


async def wait_for_other_who_waits_for_lock_that_a_callback_releases():
    lock = greenloop.Lock()
    await lock.acquire()
    asyncio.get_running_loop().call_later(60, lambda: lock.release())
    await asyncio.create_task(lock.acquire())


async def wait_for_other_who_waits_for_lock():
    lock = greenloop.Lock()
    await lock.acquire()
    await asyncio.create_task(lock.acquire())


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (wait_for_event, True),
        (wait_for_named_event, True),
        (wait_for_registered_event, False),
        (wait_for_event_of_registered_object, False),
        (wait_for_event_that_goes_with_an_object, False),
        (wait_for_future_on_purpose, False),
        (wait_for_event_on_purpose, False),
        (wait_for_asyncios_event_on_purpose, False),
        (wait_for_other_who_waits_for_lock_that_a_callback_releases, False),
        (wait_for_other_who_waits_for_lock, True),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_who_refers_to_it_decides(wait, expected, monkeypatch):
    assert found_in(wait, monkeypatch) is expected


@pytest.mark.slow
def test_a_search_that_is_put_off_takes_place_although_nothing_happens(monkeypatch):
    """One that takes long is not repeated soon, and the watch rests soon after all others do."""
    real, looks = deadlock_reports.DeadlockReports._look, []

    def slow_once(self):
        looks.append(self)
        if len(looks) == 1:
            # A hundred times that is longer than the watch goes on looking.
            time.sleep(0.02)
            return []
        return real(self)

    monkeypatch.setattr(deadlock_reports.DeadlockReports, "_look", slow_once)
    found = []

    def note(deadlock):
        found.append(deadlock["why"])
        loop.call_soon_threadsafe(task.cancel)

    loop = greenloop.new_event_loop()
    task = loop.create_task(wait_for_event())
    with greenloop.watch(3600, on_deadlock=note), pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    assert found == ["unreachable"]
