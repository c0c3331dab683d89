"""Nothing stays of Rust futures, however they end."""

import asyncio
import sys

import greenloop_bridge_example as example
import pytest

from growth import assert_nothing_stays


async def ready():
    for _ in range(500):
        await example.ready(object())


async def large():
    for _ in range(500):
        await example.large()


async def errors():
    for number in range(200):
        try:
            await example.fail(ValueError(number))
        except ValueError:
            pass


async def threads():
    await example.ping(200)


async def python():
    for _ in range(200):
        await example.pass_through(asyncio.sleep(0))


async def cancelled():
    flag = example.Flag()
    tasks = [asyncio.ensure_future(flag.wait()) for _ in range(200)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def python_cancelled():
    tasks = [asyncio.ensure_future(example.pass_through(asyncio.sleep(9))) for _ in range(100)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize(
    "operation", [ready, large, errors, threads, python, cancelled, python_cancelled]
)
def test_nothing_stays(loop, operation):
    if loop.get_debug():
        pytest.skip("debug mode keeps tracebacks")
    assert_nothing_stays(loop, operation)


def test_no_reference_stays(loop):
    thing = object()

    async def main():
        for _ in range(100):
            await example.ready(thing)
            await example.pass_through(asyncio.sleep(0, thing))
            example.ready(thing).close()

    before = sys.getrefcount(thing)
    loop.run_until_complete(main())
    assert sys.getrefcount(thing) == before
