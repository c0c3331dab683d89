"""Wrong arguments: every public method, given nonsense, raises the type that asyncio raises."""

import asyncio
import inspect
import socket

import pytest
from differential import ASYNCIO, GREENLOOP


async def give():
    pass


def nonsense():
    """Fresh values of kinds that hardly any method takes."""
    return {
        "None": None,
        "number": 7,
        "negative": -3,
        "huge": 10**30,
        "float": 2.5,
        "text": "text",
        "bytes": b"bytes",
        "object": object(),
        "list": [],
        "class": int,
        "callable": print,
        "exception": ValueError("value"),
        "exception class": ValueError,
    }


# Not called: these run, wait, or belong to the network, which is another matter.
LEFT_OUT = {
    "run_forever", "run_until_complete", "close", "shutdown_default_executor", "subprocess_exec",
    "subprocess_shell", "start_tls", "sendfile", "create_connection", "create_server",
    "create_datagram_endpoint", "create_unix_connection", "create_unix_server",
    "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "sock_accept",
    "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into",
    "sock_sendall", "sock_sendto", "sock_sendfile",
}  # fmt: skip


def public_methods(cls):
    """The public methods of a class that is called with arguments here."""
    return sorted(
        name
        for name in dir(cls)
        if not name.startswith("_") and callable(getattr(cls, name)) and name not in LEFT_OUT
    )


LOOP_METHODS = public_methods(asyncio.AbstractEventLoop)
FUTURE_METHODS = public_methods(asyncio.Future)
TASK_METHODS = public_methods(asyncio.Task)
HANDLE_METHODS = public_methods(asyncio.TimerHandle)

ARGUMENTS = [
    pytest.param(lambda value: ((), {}), id="none"),
    pytest.param(lambda value: ((value,), {}), id="one"),
    pytest.param(lambda value: ((value, value), {}), id="two"),
    pytest.param(lambda value: ((value,) * 5, {}), id="five"),
    pytest.param(lambda value: ((), {"unknown": value}), id="unknown keyword"),
    pytest.param(lambda value: ((value,), {"context": value}), id="context"),
    pytest.param(lambda value: ((value,), {"name": value}), id="name"),
]


def outcome(make, method, arguments, keywords):
    """What a call does: the type it raises, or roughly what it returns."""
    loop, thing, close = make()
    try:
        result = getattr(thing, method)(*arguments, **keywords)
        if inspect.iscoroutine(result):
            result.close()
            return "coroutine"
        if asyncio.isfuture(result):
            result.cancel()
            return "future"
        if isinstance(result, asyncio.Handle):
            result.cancel()
            return "handle"
        return _kind(result)
    except Exception as error:
        # An AttributeError for one and a TypeError for the other would still be a refusal, but code
        # that catches one of them would break.
        return "raises", type(error)
    finally:
        close()


def _kind(value):
    """The type of a value, loops being all the same."""
    return "loop" if isinstance(value, asyncio.AbstractEventLoop) else type(value)


def makers(contestant):
    """How to make a fresh loop, future, task or handle to be called on."""

    def loop_alone():
        loop = contestant.new_loop()
        return loop, loop, lambda: _close(loop)

    def future():
        loop = contestant.new_loop()
        return loop, loop.create_future(), lambda: _close(loop)

    def task():
        loop = contestant.new_loop()
        task = loop.create_task(give())
        return loop, task, lambda: (loop.run_until_complete(asyncio.wait([task])), _close(loop))

    def handle():
        loop = contestant.new_loop()
        return loop, loop.call_later(100, print), lambda: _close(loop)

    return {"loop": loop_alone, "future": future, "task": task, "handle": handle}


def _close(loop):
    for task in asyncio.all_tasks(loop):
        task.cancel()
    # What was scheduled with nonsense is never run; that is another test.
    loop.close()


CALLS = [
    *[("loop", method) for method in LOOP_METHODS],
    *[("future", method) for method in FUTURE_METHODS],
    *[("task", method) for method in TASK_METHODS],
    *[("handle", method) for method in HANDLE_METHODS],
]


def refused_where_asyncio_is_blind(method, value, keywords, actual):
    """Refused with good reason: a deadline that is no number, a keyword that does not exist.

    asyncio fails later, when it compares two deadlines; some versions overlook the keyword.
    """
    no_deadline = method == "call_at" and not isinstance(value, int | float)
    return (no_deadline or "unknown" in keywords) and actual == ("raises", TypeError)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", ARGUMENTS)
@pytest.mark.parametrize(("kind", "method"), CALLS, ids=lambda value: value)
def test_nonsense_is_refused_as_by_asyncio(kind, method, shape):
    differences = {}
    for name, value in nonsense().items():
        arguments, keywords = shape(value)
        expected = outcome(makers(ASYNCIO)[kind], method, arguments, keywords)
        actual = outcome(makers(GREENLOOP)[kind], method, arguments, keywords)
        refused = refused_where_asyncio_is_blind(method, value, keywords, actual)
        if actual != expected and not refused:
            differences[name] = (actual, expected)
        if not arguments and not keywords:
            break
    assert differences == {}


ATTRIBUTES = {
    "future": ["_asyncio_future_blocking", "_log_traceback", "_state", "_result", "_exception",
               "_callbacks", "_loop", "_source_traceback", "_cancel_message"],
    "task": ["_log_destroy_pending", "_must_cancel", "_coro", "_fut_waiter", "_state"],
    "handle": ["_callback", "_args", "_cancelled", "_context", "_when", "_loop"],
    "loop": ["slow_callback_duration"],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "attribute"),
    [(kind, one) for kind, several in ATTRIBUTES.items() for one in several],
)
def test_an_attribute_can_be_set_and_deleted_as_in_asyncio(kind, attribute):
    def attempt(contestant, value):
        loop, thing, close = makers(contestant)[kind]()
        before = _kind(getattr(thing, attribute))
        results = [before]
        for change in (
            lambda: setattr(thing, attribute, value),
            lambda: delattr(thing, attribute),
        ):
            try:
                change()
                results.append("done")
            except Exception as error:
                results.append(type(error))
        if "done" not in results:
            close()
        else:
            loop.close()
        return results

    for name, value in nonsense().items():
        expected, actual = attempt(ASYNCIO, value), attempt(GREENLOOP, value)
        # Refusing to change what asyncio's Python classes leave open harms nobody; the types that
        # are there, and the checks asyncio makes, count.
        if kind in ("handle", "loop"):
            assert actual[0] == expected[0], name
        elif kind == "future" and attribute == "_loop":
            assert actual[1:] == expected[1:], name
        else:
            assert actual == expected, name


@pytest.mark.filterwarnings("ignore")
def test_nonsense_that_is_scheduled_is_reported_as_by_asyncio():
    def attempt(contestant, value):
        loop, reports = contestant.new_loop(), []
        loop.set_exception_handler(
            lambda loop, context: reports.append(type(context.get("exception")))
        )
        for schedule in (
            lambda: loop.call_soon(value),
            lambda: loop.call_later(0, value),
            lambda: loop.call_soon_threadsafe(value),
            lambda: loop.create_future().add_done_callback(value),
        ):
            try:
                schedule()
            except Exception as error:
                reports.append(("refused", type(error)))
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
        loop.close()
        return reports

    for name, value in nonsense().items():
        if value is not print:
            assert attempt(GREENLOOP, value) == attempt(ASYNCIO, value), name


@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_nonsense_as_a_reader_is_reported_as_by_asyncio(method):
    def attempt(contestant, value):
        loop, reports = contestant.new_loop(), []
        near, far = socket.socketpair()
        loop.set_exception_handler(
            lambda loop, context: (reports.append(type(context["exception"])), loop.stop())
        )
        try:
            getattr(loop, method)(near, value)
            far.send(b"x")
            loop.run_forever()
        except Exception as error:
            reports.append(("refused", type(error)))
        loop.close()
        near.close()
        far.close()
        return reports[:1]

    for value in (None, 7, "text", object()):
        assert attempt(GREENLOOP, value) == attempt(ASYNCIO, value)


@pytest.mark.parametrize("kind", ["future", "task"])
@pytest.mark.parametrize("value", nonsense().values(), ids=nonsense().keys())
def test_a_loop_of_a_wrong_kind_is_refused_as_by_asyncio(kind, value):
    def attempt(contestant):
        coroutine = give()
        try:
            if kind == "future":
                contestant.future(loop=value)
            else:
                contestant.task(coroutine, loop=value)
        except Exception as error:
            return type(error)
        finally:
            coroutine.close()
        return "accepted"

    assert attempt(GREENLOOP) == attempt(ASYNCIO)
