"""Operations on the loop itself for `failing_allocations`."""

import asyncio
import signal

from without_memory.common import crashes_the_interpreter, ignore


def loop_attributes(loop):
    def use():
        loop.attribute = 1
        loop.attribute
        loop.slow_callback_duration = 0.2
        del loop.attribute

    yield use


def loop_attribute_of_a_strange_name(loop):
    def use():
        setattr(loop, "\ud800", 1)
        setattr(loop, "käse", 1)
        delattr(loop, "\ud800")

    yield use


def loop_call_soon(loop):
    seen = []

    async def use():
        loop.call_soon(seen.append, 1)
        loop.call_soon(seen.extend, [], context=None)
        loop.call_soon_threadsafe(seen.append, 2)
        await asyncio.sleep(0)

    yield use


def loop_timers(loop):
    def use():
        for timer in loop.call_later(99, int), loop.call_at(loop.time() + 99, int, 1, 2):
            repr(timer)
            timer.cancelled()
            timer.when()
            hash(timer)
            timer.cancel()
            repr(timer)

    yield use


def loop_timer_that_rings(loop):
    async def use():
        done = loop.create_future()
        loop.call_later(0.0001, done.set_result, None)
        await done

    yield use


def loop_questions(loop):
    def use():
        repr(loop)
        loop.time()
        loop.get_debug()
        loop.is_running()
        loop.is_closed()
        loop.get_task_factory()
        loop.get_exception_handler()
        loop._ready
        loop._scheduled
        loop._thread_id
        asyncio.all_tasks(loop)

    yield use


def loop_wrong_calls(loop):
    def use():
        for call in (
            lambda: loop.call_soon(),
            lambda: loop.call_later(1),
            lambda: loop.call_later("x", int),
            lambda: loop.call_at(None, int),
            lambda: loop.call_soon(int, loop=loop),
            lambda: loop.create_task(5),
            lambda: loop.add_reader(-1, int),
            lambda: loop.add_reader("x", int),
            lambda: loop.add_reader(123456, int),
            lambda: loop.remove_writer(object()),
            lambda: loop.set_task_factory(5),
            lambda: loop.stop(1),
            lambda: loop.run_until_complete(5),
            lambda: asyncio.Queue("x", "y"),
            lambda: asyncio.Semaphore(-1),
            lambda: asyncio.Barrier(0),
            lambda: asyncio.Lock(1),
            lambda: asyncio.gather(return_exception=1),
            lambda: asyncio.Future(loop=5),
            lambda: asyncio.StreamReader(limit=0, loop=loop),
        ):
            try:
                call()
            except MemoryError:
                raise
            except Exception:
                pass

    yield use


@crashes_the_interpreter
def loop_debug_mode(loop):
    async def use():
        loop.set_debug(True)
        loop.slow_callback_duration = 1000
        loop.call_soon(int)
        handle = loop.call_later(99, int)
        repr(handle)
        handle.cancel()
        await loop.create_task(asyncio.sleep(0))

    yield use
    loop.set_debug(False)


def loop_exception_handler(loop):
    def use():
        loop.call_exception_handler({"message": "a message", "exception": ValueError()})

    handler = loop.get_exception_handler()
    loop.set_exception_handler(ignore)
    try:
        yield use
    finally:
        loop.set_exception_handler(handler)


@crashes_the_interpreter
def loop_life(loop):
    made = []

    def use():
        other = asyncio.new_event_loop()
        made.append(other)
        other.call_soon(other.stop)
        other.close()

    yield use
    for other in made:
        other.close()


@crashes_the_interpreter
def loop_signal_handler(loop):
    def use():
        loop.add_signal_handler(signal.SIGUSR1, int)
        loop.remove_signal_handler(signal.SIGUSR1)

    yield use
    loop.remove_signal_handler(signal.SIGUSR1)


def loop_task_factory(loop):
    async def use():
        loop.set_task_factory(_make_task)
        await loop.create_task(asyncio.sleep(0))

    yield use
    loop.set_task_factory(None)


def _make_task(loop, coro, **kwargs):
    return asyncio.Task(coro, loop=loop, **kwargs)


@crashes_the_interpreter
def asynchronous_generators(loop):
    async def generator():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def use():
        async for _ in generator():
            break
        await loop.shutdown_asyncgens()

    yield use


def callback_that_raises(loop):
    async def use():
        loop.call_soon(int, "x")
        await asyncio.sleep(0)

    handler = loop.get_exception_handler()
    loop.set_exception_handler(ignore)
    try:
        yield use
    finally:
        loop.set_exception_handler(handler)
