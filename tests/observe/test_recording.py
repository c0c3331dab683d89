"""A recording of a real program tells its waits, their places, and the waker of each task."""

import asyncio
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

import greenloop
from greenloop.tracing import Trace
from greenloop.tracing.kinds import Cause, Kind, Outcome, Wait
from greenloop.tracing.recording import Recording

HERE = Path(__file__).name


def record(main, events=10_000):
    """Run a coroutine function on our loop, and return the trace of it."""
    with greenloop.trace(events=events) as recorded:
        greenloop.run(main())
    return recorded.result


def waits(trace):
    """The waits of the program's own code: kind, name of the resource, function, source line."""
    found = []
    for event in trace.events():
        if event.kind == Kind.WAIT_BEGAN and event.detail != Wait.YIELD:
            site = trace.sites[event.site] if event.site else None
            if site is not None and Path(site.file).name == HERE:
                name = trace.name_of(event.other) if event.other else ""
                found.append((Wait(event.detail), name, site.function.split(".")[-1], site.text))
    return found


def wakes(trace):
    """Each wake-up: the cause, and the coroutines of waker and woken."""

    def coroutine(number):
        return trace.tasks[number].coroutine.split(".")[-1] if number in trace.tasks else ""

    return [
        (Cause(event.detail), coroutine(event.task), coroutine(event.other))
        for event in trace.events()
        if event.kind == Kind.WOKEN
    ]


async def get():
    orders = greenloop.Queue()
    asyncio.get_running_loop().call_later(0.01, orders.put_nowait, 1)
    await orders.get()


async def put():
    orders = greenloop.Queue(1)
    orders.put_nowait(1)
    asyncio.get_running_loop().call_later(0.01, orders.get_nowait)
    await orders.put(2)


async def join():
    orders = greenloop.Queue()
    orders.put_nowait(1)
    asyncio.get_running_loop().call_later(0.01, orders.task_done)
    await orders.join()


async def acquire():
    door = greenloop.Lock()
    await door.acquire()
    asyncio.get_running_loop().call_later(0.01, door.release)
    async with door:
        pass


async def permit():
    seats = greenloop.Semaphore(0)
    asyncio.get_running_loop().call_later(0.01, seats.release)
    await seats.acquire()


async def wait_for_event():
    ready = greenloop.Event()
    asyncio.get_running_loop().call_later(0.01, ready.set)
    await ready.wait()


async def wait_for_notification():
    changed = greenloop.Condition()

    async def notify():
        async with changed:
            changed.notify()

    async with changed:
        task = greenloop.create_task(notify())
        await changed.wait()
    await task


async def meet():
    start = greenloop.Barrier(2)
    task = greenloop.create_task(start.wait())
    await start.wait()
    await task


async def rest():
    await greenloop.sleep(0.01)


async def gather():
    await greenloop.gather(rest(), rest())


async def wait():
    await greenloop.wait([greenloop.create_task(rest())])


async def group():
    async with greenloop.TaskGroup() as members:
        members.create_task(rest())


async def result():
    await greenloop.create_task(rest())


async def future():
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, answer.set_result, None)
    await answer


async def receive():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        asyncio.get_running_loop().call_later(0.01, theirs.send, b"x")
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def read():
    async def serve(reader, writer):
        await greenloop.sleep(0.01)
        writer.write(b"hello\n")
        writer.close()

    server = await greenloop.start_server(serve, "127.0.0.1", 0)
    reader, writer = await greenloop.open_connection(*server.sockets[0].getsockname())
    await reader.readline()
    writer.close()
    server.close()


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (get, (Wait.QUEUE_GET, "orders", "get", "await orders.get()")),
        (put, (Wait.QUEUE_PUT, "orders", "put", "await orders.put(2)")),
        (join, (Wait.QUEUE_JOIN, "orders", "join", "await orders.join()")),
        (acquire, (Wait.LOCK, "door", "acquire", "async with door:")),
        (permit, (Wait.SEMAPHORE, "seats", "permit", "await seats.acquire()")),
        (wait_for_event, (Wait.EVENT, "ready", "wait_for_event", "await ready.wait()")),
        (
            wait_for_notification,
            (Wait.CONDITION, "changed", "wait_for_notification", "await changed.wait()"),
        ),
        (meet, (Wait.BARRIER, "start", "meet", "await start.wait()")),
        (rest, (Wait.SLEEP, "", "rest", "await greenloop.sleep(0.01)")),
    ],
)
def test_a_wait_has_its_kind_its_name_and_its_line(main, expected):
    assert expected in waits(record(main))


@pytest.mark.parametrize(
    ("main", "kind", "text"),
    [
        (gather, Wait.GATHER, "await greenloop.gather(rest(), rest())"),
        (wait, Wait.WAIT, "await greenloop.wait([greenloop.create_task(rest())])"),
        (group, Wait.TASK_GROUP, "async with greenloop.TaskGroup() as members:"),
        (result, Wait.TASK, "await greenloop.create_task(rest())"),
        (future, Wait.FUTURE, "await answer"),
        (receive, Wait.SOCKET, "await asyncio.get_running_loop().sock_recv(ours, 1)"),
        (read, Wait.STREAM_READ, "await reader.readline()"),
    ],
)
def test_waits_for_several_and_for_the_network_have_their_kind_and_line(main, kind, text):
    assert (kind, text) in [(found[0], found[3]) for found in waits(record(main))]


def test_no_wait_is_of_an_unknown_kind():
    async def main():
        for one in (get, acquire, gather, wait, group, result, receive, read):
            await one()

    trace = record(main)
    kinds = {event.detail for event in trace.events() if event.kind == Kind.WAIT_BEGAN}
    assert 0 not in kinds
    assert Wait.FOREIGN not in kinds


def test_a_wake_up_has_its_cause_and_its_waker():
    async def consumer(orders):
        await orders.get()

    async def main():
        orders = greenloop.Queue()
        task = greenloop.create_task(consumer(orders))
        await greenloop.sleep(0.01)
        orders.put_nowait(1)
        await task

    found = wakes(record(main))
    assert (Cause.TIMER, "", "main") in found
    assert (Cause.TASK, "main", "consumer") in found
    assert (Cause.TASK, "consumer", "main") in found


def test_a_descriptor_and_a_callback_of_a_thread_wake():
    async def main():
        await receive()
        loop = asyncio.get_running_loop()
        done = greenloop.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(done.set,))
        thread.start()
        await done.wait()
        thread.join()

    causes = {cause for cause, _, woken in wakes(record(main)) if woken == "main"}
    assert {Cause.DESCRIPTOR, Cause.CALLBACK} <= causes


def test_a_cancellation_names_who_asked_and_how_the_task_ended():
    async def sleeper():
        await greenloop.sleep(60)

    async def main():
        task = greenloop.create_task(sleeper())
        await greenloop.sleep(0)
        task.cancel()
        await greenloop.wait([task])

    trace = record(main)
    assert (Cause.CANCELLATION, "main", "sleeper") in wakes(trace)
    requests = [event for event in trace.events() if event.kind == Kind.CANCEL_REQUESTED]
    assert [trace.tasks[event.other].coroutine.split(".")[-1] for event in requests] == ["sleeper"]
    ends = {
        trace.tasks[event.task].coroutine.split(".")[-1]: event.detail
        for event in trace.events()
        if event.kind == Kind.TASK_FINISHED
    }
    assert ends["sleeper"] == Outcome.CANCELLED
    assert ends["main"] == Outcome.RETURNED


def test_steps_and_callbacks_nest_and_time_does_not_go_back():
    trace = record(read)
    assert list(trace.time) == sorted(trace.time)
    running = []
    for event in trace.events():
        if event.kind == Kind.STEP_BEGAN:
            running.append(event.task)
        elif event.kind == Kind.STEP_ENDED:
            assert running.pop() == event.task
    assert not running


def test_put_and_get_say_how_full_the_queue_is():
    async def main():
        orders = greenloop.Queue()
        orders.put_nowait(1)
        orders.put_nowait(2)
        await orders.get()
        with pytest.raises(asyncio.QueueEmpty):
            greenloop.Queue().get_nowait()

    rows = [
        (Kind(event.kind), event.value)
        for event in record(main).events()
        if event.kind in (Kind.PUT, Kind.GET)
    ]
    assert rows == [(Kind.PUT, 1), (Kind.PUT, 2), (Kind.GET, 1)]


def test_the_oldest_events_are_dropped_and_counted():
    async def main():
        for _ in range(1000):
            await greenloop.sleep(0)

    whole = record(main, events=1 << 16)
    part = record(main, events=256)
    assert whole.head.lost == 0
    assert len(whole) > 3000
    assert len(part) < 256
    assert part.head.lost > 2000
    # The last events are those that are kept.
    assert part.kind[-1] == whole.kind[-1]
    assert Trace.from_bytes(part.to_bytes()).head.lost == part.head.lost


def test_a_given_name_comes_before_a_variable():
    class Shop:
        def __init__(self):
            self.stock = greenloop.Queue()
            self.door = greenloop.Lock()
            greenloop.name(self.door, "front door")

        async def run(self):
            await self.door.acquire()
            asyncio.get_running_loop().call_later(0.01, self.stock.put_nowait, 1)
            await self.stock.get()

    async def main():
        await Shop().run()

    names = {resource.name for resource in record(main).resources.values()}
    assert {"stock", "front door"} <= names


def test_a_name_has_to_be_text_and_its_bearer_referable():
    with pytest.raises(TypeError, match="has to be a str, not int"):
        greenloop.name(greenloop.Queue(), 5)
    with pytest.raises(TypeError, match="weak reference"):
        greenloop.name(5, "five")


def test_a_process_is_recorded_once_at_a_time():
    recording = Recording(1000)
    try:
        with pytest.raises(RuntimeError, match="being made already"):
            Recording(1000)
    finally:
        recording.stop()
    with pytest.raises(RuntimeError, match="was stopped"):
        recording.trace()


@pytest.mark.parametrize("events", [0, (1 << 26) + 1])
def test_the_number_of_events_is_checked(events):
    with pytest.raises(ValueError, match=rf"from 1 to 67108864 events, not {events}"):
        Recording(events)


def test_a_recording_changes_no_order_of_steps():
    def order(recorded):
        seen = []

        async def worker(name, orders, door):
            for _ in range(5):
                async with door:
                    seen.append((name, "holds"))
                    await greenloop.sleep(0)
                await orders.put(name)
                seen.append((name, await orders.get()))

        async def main():
            orders, door = greenloop.Queue(1), greenloop.Lock()
            await greenloop.gather(*(worker(name, orders, door) for name in "abc"))

        if recorded:
            record(main)
        else:
            greenloop.run(main())
        return seen

    assert order(True) == order(False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_signal_handler_of_the_loop_is_recorded_without_harm():
    async def main():
        loop = asyncio.get_running_loop()
        came = greenloop.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await came.wait()
        loop.remove_signal_handler(signal.SIGUSR1)

    assert (Wait.EVENT, "came", "main", "await came.wait()") in waits(record(main))


def test_a_step_that_raises_is_recorded_to_its_end():
    async def broken():
        raise ValueError("broken")

    async def main():
        with pytest.raises(ValueError, match="broken"):
            await greenloop.create_task(broken())

    trace = record(main)
    ends = [
        event.detail
        for event in trace.events()
        if event.kind == Kind.TASK_FINISHED and trace.tasks[event.task].coroutine.endswith("broken")
    ]
    assert ends == [Outcome.RAISED]


def test_nothing_is_kept_alive_by_a_recording():
    import gc
    import weakref

    references = []

    async def main():
        orders = greenloop.Queue()
        references.append(weakref.ref(orders))
        asyncio.get_running_loop().call_later(0.001, orders.put_nowait, 1)
        await orders.get()

    recording = Recording(1000)
    try:
        greenloop.run(main())
        gc.collect()
        assert references[0]() is None
    finally:
        recording.stop()
