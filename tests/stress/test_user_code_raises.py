"""User code that raises, wherever a loop calls user code: same consequences as in asyncio.

Each scenario makes one kind of user code raise. What leaves the loop, what its exception handler
gets and what is logged must be the same, nothing may be swallowed or crash, and the loop must run
on.
"""

import asyncio
import concurrent.futures
import contextvars
import gc
import os
import signal
import socket
import sys
import types
import weakref

import pytest
from differential import assert_same


class Trouble(Exception):
    """What user code raises here."""


class BaseTrouble(BaseException):
    """The same, of the kind that `except Exception` does not catch."""


ERRORS = [
    Trouble,
    BaseTrouble,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
    StopIteration,
]


def run_turns(loop, turns=3):
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()


def raiser(error):
    """A callable that raises."""

    def user_code(*_, **__):
        raise error("from user code")

    return user_code


async def give(value=None):
    await asyncio.sleep(0)
    return value


def call_soon(loop, one, error):
    loop.call_soon(raiser(error))


def call_soon_in_context(loop, one, error):
    loop.call_soon(raiser(error), context=contextvars.Context())


def call_soon_threadsafe(loop, one, error):
    loop.call_soon_threadsafe(raiser(error), 1)


def call_at(loop, one, error):
    loop.call_at(loop.time() - 1, raiser(error))


def done_callback(loop, one, error):
    future = loop.create_future()
    future.add_done_callback(raiser(error))
    future.set_result(None)


def done_callback_of_a_task(loop, one, error):
    loop.create_task(give()).add_done_callback(raiser(error))


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


def reader(loop, one, error):
    near, far = socket.socketpair()

    def read():
        loop.remove_reader(near)
        near.close()
        far.close()
        raise error("from user code")

    loop.add_reader(near, read)
    far.send(b"x")


def writer(loop, one, error):
    near, far = socket.socketpair()

    def write():
        loop.remove_writer(near)
        near.close()
        far.close()
        raise error("from user code")

    loop.add_writer(near, write)


def signal_handler(loop, one, error):
    def handle():
        loop.remove_signal_handler(signal.SIGUSR1)
        raise error("from user code")

    loop.add_signal_handler(signal.SIGUSR1, handle)
    os.kill(os.getpid(), signal.SIGUSR1)


def exception_handler(loop, one, error):
    loop.set_exception_handler(raiser(error))
    loop.call_soon(raiser(Trouble))


def default_exception_handler(loop, one, error):
    loop.set_exception_handler(None)
    loop.default_exception_handler = raiser(error)
    loop.call_soon(raiser(Trouble))


def exception_handler_method(loop, one, error):
    loop.call_exception_handler = raiser(error)
    loop.call_soon(raiser(Trouble))


def task_factory(loop, one, error):
    loop.set_task_factory(raiser(error))
    coroutine = give()
    try:
        loop.create_task(coroutine)
    finally:
        coroutine.close()
        loop.set_task_factory(None)


def call_soon_of_a_patched_loop(loop, one, error):
    future = loop.create_future()
    future.add_done_callback(print)
    loop.call_soon = raiser(error)
    try:
        future.set_result(None)
    finally:
        del loop.call_soon


def destructor_of_an_argument(loop, one, error):
    class Thing:
        def __del__(self):
            raise error("from user code")

    loop.call_soon(lambda thing: None, Thing())
    loop.call_soon(lambda thing: None, Thing()).cancel()
    loop.call_later(100, lambda thing: None, Thing()).cancel()
    loop.create_future().set_result(Thing())


def equality_of_a_callback(loop, one, error):
    class Callback:
        def __call__(self, future):
            pass

        def __eq__(self, other):
            raise error("from user code")

        __hash__ = object.__hash__

    future = loop.create_future()
    for _ in range(3):
        future.add_done_callback(Callback())
    try:
        future.remove_done_callback(Callback())
    finally:
        future.set_result(None)


def equality_of_the_second_callback(loop, one, error):
    class Callback:
        def __call__(self, future):
            pass

        def __eq__(self, other):
            raise error("from user code")

        __hash__ = object.__hash__

    future = loop.create_future()
    future.add_done_callback(print)
    future.add_done_callback(Callback())
    future.remove_done_callback(print)


def truth_of_an_equality(loop, one, error):
    class Answer:
        def __bool__(self):
            raise error("from user code")

    class Callback:
        def __call__(self, future):
            pass

        def __eq__(self, other):
            return Answer()

        __hash__ = object.__hash__

    future = loop.create_future()
    future.add_done_callback(Callback())
    future.add_done_callback(Callback())
    future.remove_done_callback(Callback())


def repr_of_a_result(loop, one, error):
    class Thing:
        def __repr__(self):
            raise error("from user code")

    future = loop.create_future()
    future.set_result(Thing())
    return len(repr(future)) > 0


def repr_of_an_argument_of_a_failing_callback(loop, one, error):
    class Thing:
        def __repr__(self):
            raise error("from user code")

    loop.set_debug(True)
    loop.call_soon(raiser(Trouble), Thing())


def text_of_a_name(loop, one, error):
    class Name:
        def __str__(self):
            raise error("from user code")

    coroutine = give()
    try:
        loop.create_task(coroutine, name=Name())
    finally:
        coroutine.close()


def text_of_a_new_name(loop, one, error):
    class Name:
        def __str__(self):
            raise error("from user code")

    task = loop.create_task(give())
    task.set_name(Name())


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
    import collections.abc

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
    import collections.abc

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


def new_exception_of_a_class(loop, one, error):
    class Odd(Exception):
        def __init__(self):
            raise error("from user code")

    loop.create_future().set_exception(Odd)


def weak_reference_callback(loop, one, error):
    future = loop.create_future()
    reference = weakref.ref(future, raiser(error))
    del future
    task = loop.create_task(give())
    other = weakref.ref(task, raiser(error))
    run_turns(loop, 3)
    del task
    return reference() is None and other() is None


def submit_of_an_executor(loop, one, error):
    class Odd(concurrent.futures.Executor):
        submit = raiser(error)

    loop.run_in_executor(Odd(), int)


def work_of_an_executor(loop, one, error):
    class AtOnce(concurrent.futures.Executor):
        def submit(self, function, /, *arguments):
            future = concurrent.futures.Future()
            try:
                future.set_result(function(*arguments))
            except BaseException as caught:
                future.set_exception(caught)
            return future

    async def body():
        await loop.run_in_executor(AtOnce(), raiser(error))

    return loop.create_task(body())


def close_of_an_asynchronous_generator(loop, one, error):
    async def generate():
        try:
            yield 1
        finally:
            raise error("from user code")

    generator = generate()

    async def body():
        await anext(generator)

    loop.run_until_complete(body())
    loop.run_until_complete(loop.shutdown_asyncgens())


def attribute_set_on_a_task(loop, one, error):
    class Odd(one.task):
        def set_name(self, value):
            raise error("from user code")

    task = Odd(give(), loop=loop)
    return task


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


def number_of_a_delay(loop, one, error):
    class Delay:
        def __radd__(self, other):
            raise error("from user code")

        def __float__(self):
            raise error("from user code")

    loop.call_later(Delay(), print)


def descriptor_of_a_file(loop, one, error):
    class File:
        def fileno(self):
            raise error("from user code")

    loop.add_reader(File(), print)


def _yield_it(loop, value):
    @types.coroutine
    def generator():
        yield value

    async def body():
        await generator()

    task = loop.create_task(body())
    task._log_destroy_pending = False
    return task


SCENARIOS = [
    value
    for name, value in list(globals().items())
    if isinstance(value, types.FunctionType)
    and value.__module__ == __name__
    and value.__code__.co_varnames[:3] == ("loop", "one", "error")
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("user_code", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_user_code_that_raises(user_code, error, monkeypatch):
    # What a destructor raises goes to this hook; that it gets there is compared too.
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: unraisable.append(one.exc_type))

    def scenario(loop, one):
        del unraisable[:]
        left = []
        task = None
        try:
            task = user_code(loop, one, error)
        except BaseException as caught:
            left.append((type(caught), str(caught)))
        for _ in range(4):
            try:
                run_turns(loop, 1)
            except BaseException as caught:
                left.append((type(caught), str(caught)))
        result = task
        if isinstance(task, asyncio.Future):
            result = [task.done(), task.done() and task.cancelled()]
            if task.done() and not task.cancelled() and task.exception():
                result += [type(task.exception()), str(task.exception())]
        del task
        gc.collect()
        return left, result, sorted(map(str, unraisable))

    assert_same(scenario)


def test_there_are_scenarios():
    assert len(SCENARIOS) > 40
