"""Faults: each await is disturbed once by each, and a token brings the same about again."""

import asyncio
import types

import pytest

import greenloop
import greenloop.testing
from greenloop.testing import Diverged, Schedule, explore, run, with_faults
from greenloop.testing.simulation import run_once

ALL = ["cancellation", "late cancellation", "timeout", OSError]


async def three_awaits(log):
    """Wait in three ways; note where an exception has come."""
    queue = asyncio.Queue()
    asyncio.get_running_loop().call_later(1, queue.put_nowait, 7)
    where = "queue"
    try:
        await queue.get()
        where = "yield"
        await asyncio.sleep(0)
        where = "sleep"
        await asyncio.sleep(1)
    except BaseException as error:
        log.append((where, type(error).__name__))
        raise


def disturbed(operation, faults=ALL, **keywords):
    """What the operation notes in all runs, in their order."""
    log = []

    async def main():
        await with_faults(operation(log), faults, **keywords)

    exploration = explore(main)
    exploration.check()
    assert exploration.exhausted
    return log


def test_each_await_is_disturbed_once_by_each_fault():
    of_future = ["CancelledError", "CancelledError", "CancelledError", "OSError"]
    expected = [("queue", name) for name in of_future]
    # A bare yield has no future that could come to an end, or fail.
    expected += [("yield", "CancelledError")] * 2
    expected += [("sleep", name) for name in of_future]
    assert disturbed(three_awaits) == expected


def test_of_the_faults_those_are_tried_that_are_named():
    assert disturbed(three_awaits, [KeyError]) == [("queue", "KeyError"), ("sleep", "KeyError")]


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("Queue.*", ["queue"]),
        ("sleep", ["yield", "sleep"]),
        ("three_*", ["queue", "yield", "sleep"]),
    ],
)
def test_only_awaits_of_a_name_are_disturbed(pattern, where):
    log = disturbed(three_awaits, ["cancellation"], at=pattern)
    assert [each for each, _ in log] == where


def test_what_is_cancelled_early_has_not_come_and_what_is_cancelled_late_has():
    async def operation(log):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1, future.set_result, 7)
        try:
            await future
        except asyncio.CancelledError:
            log.append((future.cancelled(), asyncio.get_running_loop().time()))
            raise

    assert disturbed(operation, ["cancellation", "late cancellation"]) == [(True, 0), (False, 1)]


def test_a_timeout_is_one_of_asyncio():
    async def operation(log):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            log.append(asyncio.current_task().cancelling())
            raise

    assert disturbed(operation, ["timeout"]) == [1]


def test_primitives_are_whole_after_an_exception():
    async def main():
        lock, queue = asyncio.Lock(), asyncio.Queue(1)
        await lock.acquire()

        async def operation():
            async with lock:
                await queue.put(1)
                await queue.put(2)

        disturbed = asyncio.create_task(with_faults(operation(), ALL))
        await asyncio.sleep(1)
        lock.release()
        await asyncio.sleep(1)
        left = [queue.get_nowait() for _ in range(queue.qsize())]
        await disturbed
        left += [queue.get_nowait() for _ in range(queue.qsize())]
        assert left in ([], [1], [1, 2])
        async with asyncio.timeout(1), lock:
            await queue.put(3)
        assert queue.get_nowait() == 3

    exploration = explore(main)
    exploration.check()
    assert exploration.exhausted
    assert exploration.runs == 1 + 2 * len(ALL)


def test_the_operation_may_be_any_awaitable():
    class Waiting:
        def __await__(self):
            return (yield from asyncio.sleep(1, 7).__await__())

    async def main():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(5, future.set_result, 7)
        return [await with_faults(each) for each in (asyncio.sleep(1, 7), Waiting(), future)]

    assert run(main) == [7, 7, 7]
    nones = [run(main, schedule=Schedule.asyncios().with_fault(number)) for number in range(6)]
    assert [each.index(None) for each in nones] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("run", [asyncio.run, greenloop.run, run])
def test_what_cannot_be_awaited_is_refused(run):
    async def main():
        with pytest.raises(TypeError, match=r"object int can't be used in 'await'|'int' object"):
            await with_faults(7)

    run(main())


def test_a_coroutine_of_a_generator_is_disturbed_as_any_other():
    @types.coroutine
    def waits():
        yield from asyncio.sleep(1).__await__()
        return 7

    async def main():
        return await with_faults(waits())

    assert run(main) == 7
    assert run(main, schedule="g1xv4.d+f0") is None


@pytest.mark.parametrize("run", [asyncio.run, greenloop.run, run])
def test_without_a_fault_the_result_is_the_operations(run):
    async def main():
        assert await with_faults(asyncio.sleep(0.001, 7)) == 7
        with pytest.raises(KeyError):
            await with_faults(fails())

    async def fails():
        await asyncio.sleep(0)
        raise KeyError(7)

    run(main())


def test_what_the_operation_makes_of_a_fault_is_its_own_affair():
    async def catches():
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "caught"

    async def translates():
        try:
            await asyncio.sleep(1)
        except OSError as error:
            raise KeyError("translated") from error

    async def caught():
        return await with_faults(catches())

    async def translated():
        return await with_faults(translates(), [OSError])

    first = Schedule.asyncios().with_fault(0)
    assert run(caught, schedule=first) == "caught"
    with pytest.raises(KeyError, match="translated"):
        run(translated, schedule=first)


def test_who_waits_for_the_operation_can_be_cancelled_as_ever():
    async def main():
        task = asyncio.create_task(with_faults(asyncio.sleep(10)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    with pytest.raises(Diverged, match="it offers 2"):
        run(main, schedule=Schedule.asyncios().with_fault(2))


async def lend(free, *, mended):
    """Take the one connection of a pool, use it, and put it back."""
    connection = await free.get()
    if mended:
        try:
            await asyncio.sleep(0.1)
        finally:
            free.put_nowait(connection)
    else:
        await asyncio.sleep(0.1)
        free.put_nowait(connection)


@pytest.mark.parametrize("mended", [False, True])
def test_a_connection_that_is_lost_at_a_cancellation_is_found(mended):
    async def main():
        free = asyncio.Queue()
        asyncio.get_running_loop().call_later(1, free.put_nowait, "connection")
        await with_faults(lend(free, mended=mended))
        await asyncio.sleep(2)
        assert free.qsize() == 1

    exploration = explore(main)
    if mended:
        assert exploration.finding is None
        assert exploration.exhausted
        return
    found = exploration.finding
    assert "cancellation at sleep, " in found.account.fault
    with pytest.raises(AssertionError) as again:
        run(main, schedule=str(found.schedule))
    assert again.value.__notes__[-1].endswith(f"the same again: {found.schedule}")
    assert found.account.fault in again.value.__notes__[-1]


def test_a_fault_and_an_order_together_are_found_and_shrunk():
    async def main():
        order = []

        async def note(name):
            await asyncio.sleep(1)
            order.append(name)

        async def operation():
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                order.append("cancelled")
                raise

        await asyncio.gather(note("a"), note("b"), note("c"), with_faults(operation()))
        assert order[0] != "cancelled" or order.index("c") > order.index("a")

    found = explore(main).finding
    assert found.account.fault is not None
    assert len(found.account.deviations) == 1


def test_a_fault_that_does_not_matter_is_left_out():
    async def main():
        order = []

        async def note(name):
            await asyncio.sleep(1)
            order.append(name)

        await asyncio.gather(note("a"), note("b"), with_faults(note("c")))
        assert order.index("a") < order.index("b")

    finding = explore(main, seed=3).finding
    assert finding.schedule.fault is None
    faulty = next(
        outcome
        for seed in range(100)
        if (outcome := run_once(main, Schedule.by_seed(seed).with_fault(0))).exception
    )
    assert faulty.account.fault is not None


@pytest.mark.parametrize("fault", ["cancelled", KeyboardInterrupt, OSError(1), 7, None])
def test_what_is_no_fault_is_refused(fault):
    async def main():
        operation = asyncio.sleep(0)
        with pytest.raises(ValueError, match="a fault is 'cancellation'"):
            await with_faults(operation, [fault])
        await operation

    run(main)


def test_a_token_has_the_fault():
    schedule = Schedule.by_seed(7).with_fault(12)
    assert str(schedule) == f"{Schedule.by_seed(7)}+f12"
    assert Schedule.parse(str(schedule)) == schedule
    assert schedule.with_fault(None) == Schedule.by_seed(7)
    for token in ("+f", "+f1x", "+g1", "+f1+f2", "+"):
        with pytest.raises(ValueError, match="is no schedule"):
            Schedule.parse(f"{Schedule.by_seed(7)}{token}")
