"""Asynchronous generators: the loop finalises those left alone, and shuts down the rest."""

import asyncio
import gc
import sys
import warnings

import pytest


async def numbers(order):
    try:
        while True:
            yield len(order)
            await asyncio.sleep(0)
    finally:
        order.append("closing")
        await asyncio.sleep(0)
        order.append("closed")


def test_the_hooks_are_the_loops_while_it_runs_and_the_callers_afterwards(loop):
    def first(generator):
        pass

    def final(generator):
        pass

    async def main():
        return sys.get_asyncgen_hooks()

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(first, final)
    try:
        inside = loop.run_until_complete(main())
        assert tuple(sys.get_asyncgen_hooks()) == (first, final)
    finally:
        sys.set_asyncgen_hooks(*before)
    assert inside.firstiter is not first
    assert inside.finalizer is not final
    assert callable(inside.firstiter)
    assert callable(inside.finalizer)


def test_a_generator_left_alone_is_closed_by_the_loop(loop):
    order = []

    async def main():
        async for _ in numbers(order):
            break
        gc.collect()
        assert "closed" not in order
        for _ in range(5):
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert order == ["closing", "closed"]


def test_shutdown_closes_what_is_still_open(loop):
    order = []
    generators = [numbers(order) for _ in range(3)]

    async def main():
        for generator in generators:
            await anext(generator)

    loop.run_until_complete(main())
    assert order == []
    assert loop.run_until_complete(loop.shutdown_asyncgens()) is None
    assert order == ["closing"] * 3 + ["closed"] * 3


def test_an_exception_while_shutting_down_is_reported(loop, reports):
    async def broken():
        try:
            yield 1
        finally:
            raise ValueError("while closing")

    generator = broken()

    async def main():
        await anext(generator)

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    (report,) = reports
    assert report["message"].startswith(
        "an error occurred during closing of asynchronous generator <async_generator object"
    )
    assert report["asyncgen"] is generator
    assert str(report["exception"]) == "while closing"


def test_a_generator_begun_after_the_shutdown_is_warned_about(loop):
    loop.run_until_complete(loop.shutdown_asyncgens())

    async def main():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            generator = numbers([])
            await anext(generator)
            await generator.aclose()
        return [str(one.message) for one in caught if one.category is ResourceWarning]

    (message,) = loop.run_until_complete(main())
    assert "was scheduled after loop.shutdown_asyncgens() call" in message


def test_shutting_down_twice_and_nothing_is_fine(loop):
    for _ in range(2):
        assert loop.run_until_complete(loop.shutdown_asyncgens()) is None


def test_a_generator_that_is_lost_after_the_loop_closed_is_no_error(loop):
    order = []
    generator = numbers(order)

    async def main():
        await anext(generator)

    loop.run_until_complete(main())
    loop.close()
    generator = None
    gc.collect()
    assert order in ([], ["closing"])


def test_a_finished_generator_is_not_kept(loop):
    async def few():
        yield 1

    async def main():
        return [one async for one in few()]

    assert loop.run_until_complete(main()) == [1]
    order = []
    loop.set_exception_handler(lambda loop, context: order.append(context))
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert order == []


def test_asynchronous_iteration_over_many_generators(loop):
    async def count(limit):
        for number in range(limit):
            await asyncio.sleep(0)
            yield number

    async def total(limit):
        return sum([number async for number in count(limit)])

    async def main():
        return await asyncio.gather(*[total(limit) for limit in range(20)])

    assert loop.run_until_complete(main()) == [sum(range(limit)) for limit in range(20)]


def test_a_generator_awaits_in_the_task_that_iterates(loop):
    async def who():
        yield asyncio.current_task()
        await asyncio.sleep(0)
        yield asyncio.current_task()

    async def main():
        return {task async for task in who()} == {asyncio.current_task()}

    assert loop.run_until_complete(main())


@pytest.mark.parametrize("wrong", ["athrow", "aclose"])
def test_a_generator_in_use_refuses_a_second_user(loop, wrong):
    order = []
    generator = numbers(order)

    async def main():
        first = asyncio.ensure_future(anext(generator))
        await anext_started()
        with pytest.raises(RuntimeError):
            await (generator.aclose() if wrong == "aclose" else generator.athrow(KeyError))
        return first

    async def anext_started():
        await asyncio.sleep(0)

    async def slow():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        yield 1

    generator = slow()
    first = loop.run_until_complete(main())
    assert loop.run_until_complete(first) == 1
    loop.run_until_complete(generator.aclose())
