"""Scenarios in which what a loop was given to call raises: callbacks, handlers, executors."""

import concurrent.futures
import contextvars
import os
import signal
import socket

from scenarios import Trouble, give, raiser


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
