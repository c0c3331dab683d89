"""Scenarios in which what a task runs or awaits raises: coroutines, awaitables, odd futures."""

import asyncio
import collections.abc
import gc
import types

from loop_turns import run_turns


def task_at_its_first_step(loop, one, error):
    async def body():
        raise error("from user code")

    return loop.create_task(body())


def task_at_its_second_step(loop, one, error):
    async def body():
        await asyncio.sleep(0)
        raise error("from user code")

    return loop.create_task(body())


def task_while_cancelled(loop, one, error):
    async def body():
        try:
            await loop.create_future()
        finally:
            raise error("from user code")

    task = loop.create_task(body())
    run_turns(loop, 1)
    task.cancel()
    return task


def blocking_flag(loop, one, error):
    class Odd:
        @property
        def _asyncio_future_blocking(self):
            raise error("from user code")

    return _yield_it(loop, Odd())


def setting_the_blocking_flag(loop, one, error):
    class Odd:
        @property
        def _asyncio_future_blocking(self):
            return True

        @_asyncio_future_blocking.setter
        def _asyncio_future_blocking(self, value):
            raise error("from user code")

        def get_loop(self):
            return loop

        def add_done_callback(self, callback, context=None):
            pass

    return _yield_it(loop, Odd())


def loop_of_an_awaited_one(loop, one, error):
    class Odd:
        _asyncio_future_blocking = True

        def get_loop(self):
            raise error("from user code")

    return _yield_it(loop, Odd())


def add_done_callback_of_an_awaited_one(loop, one, error):
    class Odd:
        _asyncio_future_blocking = True

        def get_loop(self):
            return loop

        def add_done_callback(self, callback, context=None):
            raise error("from user code")

    return _yield_it(loop, Odd())


def truth_of_a_blocking_flag(loop, one, error):
    class Flag:
        def __bool__(self):
            raise error("from user code")

    class Odd:
        _asyncio_future_blocking = Flag()

    return _yield_it(loop, Odd())


def result_of_an_awaited_one(loop, one, error):
    class Odd(one.future):
        def result(self):
            raise error("from user code")

    async def body():
        await future

    future = Odd(loop=loop)
    task = loop.create_task(body())
    run_turns(loop, 1)
    future.set_result(1)
    return task


def cancel_of_an_awaited_one(loop, one, error):
    class Odd(one.future):
        def cancel(self, msg=None):
            raise error("from user code")

    async def body():
        await future

    future = Odd(loop=loop)
    task = loop.create_task(body())
    run_turns(loop, 1)
    try:
        task.cancel()
    finally:
        future.set_result(1)
        run_turns(loop, 2)


def await_method(loop, one, error):
    class Odd:
        def __await__(self):
            raise error("from user code")

    async def body():
        await Odd()

    return loop.create_task(body())


def iteration_of_an_awaitable(loop, one, error):
    class Odd:
        def __await__(self):
            return self

        def __iter__(self):
            return self

        def __next__(self):
            raise error("from user code")

    async def body():
        await Odd()

    return loop.create_task(body())


def throw_of_a_coroutine(loop, one, error):
    class Own(collections.abc.Coroutine):
        def send(self, value):
            return None

        def throw(self, *arguments):
            raise error("from user code")

        def close(self):
            pass

        def __await__(self):
            return self

    task = loop.create_task(Own())
    run_turns(loop, 1)
    task.cancel()
    return task


def send_of_a_coroutine(loop, one, error):
    class Own(collections.abc.Coroutine):
        def send(self, value):
            raise error("from user code")

        def throw(self, *arguments):
            raise arguments[0]

        def close(self):
            pass

        def __await__(self):
            return self

    return loop.create_task(Own())


def finaliser_of_a_coroutine(loop, one, error):
    async def body():
        try:
            await loop.create_future()
        finally:
            raise error("from user code")

    task = loop.create_task(body())
    task._log_destroy_pending = False
    run_turns(loop, 1)
    del task
    gc.collect()


def _yield_it(loop, value):
    @types.coroutine
    def generator():
        yield value

    async def body():
        await generator()

    task = loop.create_task(body())
    task._log_destroy_pending = False
    return task
