"""Barrier: all go on when the last one comes, or all are sent away."""

import asyncio
import asyncio.locks

import pytest

from primitives_under_test import turns


def states(barrier):
    return barrier._state.name, barrier.n_waiting, barrier._count, barrier.broken


def test_all_go_on_when_the_last_one_comes_each_with_its_number(sync):
    async def main():
        barrier = sync.Barrier(3)
        tasks = [asyncio.create_task(barrier.wait()) for _ in range(2)]
        await turns(2)
        seen = [states(barrier)]
        assert not any(task.done() for task in tasks)
        numbers = [await barrier.wait(), *await asyncio.gather(*tasks)]
        seen.append(states(barrier))
        return barrier.parties, numbers, seen

    assert sync.run(main()) == (
        3,
        [2, 0, 1],
        [("FILLING", 2, 2, False), ("FILLING", 0, 0, False)],
    )


def test_entering_waits_and_says_the_number(sync):
    async def main():
        barrier = sync.Barrier(2)

        async def party():
            async with barrier as number:
                return number

        return await asyncio.gather(party(), party())

    assert sync.run(main()) == [0, 1]


def test_a_task_that_comes_while_others_leave_waits_for_the_next_round(sync):
    async def main():
        barrier, trace = sync.Barrier(2), []

        async def party(name):
            trace.append((name, await barrier.wait()))

        await asyncio.gather(*(party(name) for name in "abcd"))
        return trace

    assert sync.run(main()) == [("b", 1), ("a", 0), ("d", 1), ("c", 0)]


def test_a_cancelled_party_is_counted_no_more(sync):
    async def main():
        barrier = sync.Barrier(2)
        task = asyncio.create_task(barrier.wait())
        await turns(1)
        task.cancel()
        await turns(1)
        return task.cancelled(), states(barrier), barrier._cond.locked()

    assert sync.run(main()) == (True, ("FILLING", 0, 0, False), False)


def test_a_reset_breaks_the_barrier_for_its_waiters(sync):
    async def main():
        barrier = sync.Barrier(2)
        task = asyncio.create_task(barrier.wait())
        await turns(1)
        await barrier.reset()
        seen = states(barrier)
        with pytest.raises(asyncio.BrokenBarrierError, match="^Abort or reset of barrier$"):
            await task
        return seen, states(barrier)

    assert sync.run(main()) == (("RESETTING", 0, 1, False), ("FILLING", 0, 0, False))


def test_an_aborted_barrier_refuses_everybody_until_it_is_reset(sync):
    async def main():
        barrier = sync.Barrier(2)
        task = asyncio.create_task(barrier.wait())
        await turns(1)
        await barrier.abort()
        with pytest.raises(asyncio.BrokenBarrierError, match="^Abort or reset of barrier$"):
            await task
        with pytest.raises(asyncio.BrokenBarrierError, match="^Barrier aborted$"):
            await barrier.wait()
        text = repr(barrier)
        await barrier.reset()
        return text.partition("[")[2], states(barrier)

    assert sync.run(main()) == ("broken]>", ("FILLING", 0, 0, False))


def test_a_barrier_without_parties_is_refused_in_asyncios_words(sync):
    with pytest.raises(ValueError) as expected:
        asyncio.locks.Barrier(0)
    with pytest.raises(ValueError) as caught:
        sync.Barrier(0)
    assert caught.value.args == expected.value.args


def test_the_state_is_a_member_of_asyncios_enum(sync):
    barrier = sync.Barrier(2)
    assert isinstance(barrier._state, asyncio.locks._BarrierState)
    barrier._state = asyncio.locks._BarrierState.BROKEN
    assert barrier.broken


def test_the_repr_counts_the_waiters(sync):
    async def main():
        barrier = sync.Barrier(2)
        task = asyncio.create_task(barrier.wait())
        await turns(1)
        text = repr(barrier)
        task.cancel()
        return text.partition("[")[2]

    assert sync.run(main()) == "filling, waiters:1/2]>"


def test_a_subclass_is_asked_by_name(sync):
    class Telling(sync.Barrier):
        async def wait(self):
            return f"number {await super().wait()}"

    async def main():
        async with Telling(1) as number:
            return number

    assert sync.run(main()) == "number 0"
