"""Scenarios in which an object that a loop was given raises: by a special method, or as it dies."""

import weakref

from scenarios import Trouble, give, raiser

from loop_turns import run_turns


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


def attribute_set_on_a_task(loop, one, error):
    class Odd(one.task):
        def set_name(self, value):
            raise error("from user code")

    task = Odd(give(), loop=loop)
    return task


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
