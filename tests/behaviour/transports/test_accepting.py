"""Servers take connections in the turns, contexts and ways that asyncio takes them in."""

import asyncio
import contextlib
import contextvars
import errno
import gc
import os
import resource
import socket
import sys
import weakref

import pytest

import greenloop
from connections import Recorder, run, run_until


@contextlib.contextmanager
def listening(loop, factory, address=("127.0.0.1", 0), **options):
    """A server that is closed in the end, and its address."""
    if isinstance(address, tuple):
        starting = loop.create_server(factory, *address, **options)
    else:
        starting = loop.create_unix_server(factory, address, **options)
    server = loop.run_until_complete(starting)
    try:
        yield server, server.sockets[0].getsockname()
    finally:
        server.close()
        run(loop)


@contextlib.contextmanager
def clients(address, count=1):
    """Connected sockets: the kernel has taken them, the loop has not."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


class Accepted(Recorder):
    """A recorder that leaves no transport behind."""

    made = []

    def connection_made(self, transport):
        super().connection_made(transport)
        self.made.append(self)


@pytest.fixture
def accepted():
    Accepted.made = []
    yield Accepted
    for protocol in Accepted.made:
        protocol.transport.abort()


def test_a_connection_takes_asyncios_turns(loop, accepted):
    turn = 0
    trace = []

    def count():
        nonlocal turn
        turn += 1
        ticking = loop.call_soon(count)
        if len(trace) == 6:
            ticking.cancel()
            loop.stop()

    def factory():
        trace.append(("factory", turn))
        return accepted(made=lambda *_: trace.append(("made", turn)))

    with listening(loop, factory) as (_, address), clients(address, 3):
        count()
        loop.run_forever()
        first = trace[0][1]
        # All that wait are taken in one turn, get protocols in the next and begin in the third.
        assert trace == [("factory", first)] * 3 + [("made", first + 1)] * 3
        run(loop)


def test_each_connection_has_a_copy_of_the_servers_context(loop, accepted):
    variable = contextvars.ContextVar("variable", default="nothing")
    seen = []

    def factory():
        seen.append(("factory", variable.get()))
        variable.set("the protocol's")
        return accepted(made=lambda *_: seen.append(("made", variable.get())))

    variable.set("the server's")
    with listening(loop, factory) as (_, address):
        variable.set("somebody else's")
        with clients(address, 2):
            run_until(loop, lambda: len(seen) == 4)
    assert seen == [("factory", "the server's")] * 2 + [("made", "the protocol's")] * 2


@pytest.mark.parametrize("exception", [ValueError, asyncio.CancelledError, BaseException])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_factory_that_raises_costs_its_connection_only(loop, accepted, reports, exception):
    failures = [exception("no")]

    def factory():
        if failures:
            # Nothing else may refer to it: what refers to the connection closes late.
            raise failures.pop()
        return accepted()

    with listening(loop, factory) as (_, address):
        with clients(address) as [refused]:
            run_until(loop, lambda: not failures)
            refused.settimeout(10)
            assert refused.recv(1) == b""
        with clients(address):
            run_until(loop, lambda: accepted.made)
    # Nobody learns of it, but in debug mode.
    assert reports == []


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_debug_mode_tells_of_a_factory_that_raises(loop, reports):
    exception = ValueError("no")

    def factory():
        raise exception

    loop.set_debug(True)
    with listening(loop, factory) as (_, address), clients(address):
        run_until(loop, lambda: reports)
    [report] = reports
    assert report["message"] == "Error on transport creation for incoming connection"
    assert report["exception"] is exception


@pytest.mark.parametrize("exception", [SystemExit, KeyboardInterrupt])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_factory_can_end_the_program(loop, exception):
    def factory():
        raise exception

    with listening(loop, factory) as (_, address), clients(address):
        with pytest.raises(exception):
            run(loop, 50)


@pytest.mark.parametrize("missing", [None, object()])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_factory_that_makes_no_protocol_costs_its_connection_only(loop, reports, missing):
    calls = []

    def factory():
        calls.append(None)
        return missing

    with listening(loop, factory) as (_, address), clients(address, 2):
        run_until(loop, lambda: len(calls) == 2)
    assert reports == []


def test_descriptors_run_out_and_the_server_goes_on_later(loop, accepted, reports, monkeypatch):
    monkeypatch.setattr(asyncio.constants, "ACCEPT_RETRY_DELAY", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What earlier tests have left must not free descriptors in the middle of this one.
    gc.collect()
    with listening(loop, accepted) as (_, address), clients(address):
        used = max(int(name) for name in os.listdir("/proc/self/fd"))
        spare = [os.dup(0) for _ in range(used)]
        # All below the limit are taken, so that the next one cannot be.
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
        try:
            run_until(loop, lambda: reports)
            run(loop, 3)
            assert accepted.made == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in spare:
                os.close(descriptor)
        run_until(loop, lambda: accepted.made)
    report = reports[0]
    assert report["message"] == "socket.accept() out of system resource"
    assert report["exception"].errno == errno.EMFILE
    assert isinstance(report["socket"], asyncio.trsock.TransportSocket)


def test_a_server_that_was_closed_takes_nobody(loop, accepted):
    with listening(loop, accepted) as (server, address), clients(address):
        # It is closed in the turn in which the loop learns that somebody has connected.
        loop.call_soon(server.close)
        run(loop)
    assert accepted.made == []


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
# The end of a half-made transport goes wrong in asyncio itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_closed_by_a_factory_refuses_its_connection(loop, accepted, reports):
    def factory():
        server.close()
        return accepted()

    with listening(loop, factory) as (server, address), clients(address, 2) as both:
        run(loop)
        # What asyncio leaves of it is a cycle.
        gc.collect()
        for client in both:
            client.settimeout(10)
        assert [client.recv(1) for client in both] == [b"", b""]
    assert accepted.made == []
    assert reports == []


def test_no_task_is_seen_by_a_protocol(loop, accepted):
    """asyncio's factories see the task of their connection; ours none, as in connection_made."""
    seen = []

    def note(*_):
        seen.append(asyncio.current_task())

    def factory():
        note()
        return accepted(made=note)

    with listening(loop, factory) as (_, address), clients(address):
        run_until(loop, lambda: accepted.made)
    of_factory, of_connection = seen
    assert (of_factory is None) == isinstance(loop, greenloop.EventLoop)
    assert of_connection is None


def test_more_connect_than_the_backlog_at_once(loop, accepted):
    with listening(loop, accepted, backlog=1) as (server, address):
        server.sockets[0]._sock.listen(10)
        with clients(address, 5):
            run_until(loop, lambda: len(accepted.made) == 5)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio takes nobody before Python 3.14")
def test_a_server_without_a_backlog_accepts_connections(loop, accepted):
    with listening(loop, accepted, backlog=0) as (_, address), clients(address):
        run_until(loop, lambda: accepted.made)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_both_addresses_are_known(loop, accepted, host):
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with listening(loop, accepted, (host, 0)) as (_, address), clients(address[:2]) as [client]:
        run_until(loop, lambda: accepted.made)
        transport = accepted.made[0].transport
        assert transport.get_extra_info("peername") == client.getsockname()
        assert transport.get_extra_info("sockname") == client.getpeername()
        near = transport.get_extra_info("socket")
        assert isinstance(near, asyncio.trsock.TransportSocket)
        assert (near.family, near.type, near.gettimeout()) == (client.family, client.type, 0)
        assert not os.get_inheritable(near.fileno())
        assert transport.get_protocol() is accepted.made[0]


@pytest.mark.parametrize("name", ["none", "path", "abstract"])
def test_the_name_of_a_unix_peer_is_known(loop, accepted, tmp_path, name):
    path = str(tmp_path / "server")
    names = {
        "none": None,
        "path": str(tmp_path / "client"),
        "abstract": b"\0greenloop-client-%d-%d" % (os.getpid(), id(loop)),
    }
    with listening(loop, accepted, path), socket.socket(socket.AF_UNIX) as client:
        if names[name] is not None:
            client.bind(names[name])
        client.connect(path)
        run_until(loop, lambda: accepted.made)
        transport = accepted.made[0].transport
        assert transport.get_extra_info("peername") == (names[name] or "")
        assert transport.get_extra_info("sockname") == path


def test_data_that_came_with_the_connection_is_read(loop, accepted):
    with listening(loop, accepted) as (_, address), clients(address) as [client]:
        client.sendall(b"early")
        run_until(loop, lambda: accepted.made and len(accepted.made[0].calls) > 1)
        assert accepted.made[0].calls == [("made",), ("data", b"early")]


# Somebody has a say in it.


def test_a_task_factory_makes_the_task_of_each_connection(loop, accepted):
    made = []

    def factory(loop, coroutine, **options):
        made.append(coroutine.__name__)
        return asyncio.Task(coroutine, loop=loop, **options)

    with listening(loop, accepted) as (_, address), clients(address):
        loop.set_task_factory(factory)
        run_until(loop, lambda: accepted.made)
    assert made == ["_accept_connection2"]


@pytest.mark.parametrize(
    "name",
    ["_accept_connection", "_accept_connection2", "_make_socket_transport", "create_task"],
)
def test_a_method_that_was_replaced_is_called(loop, accepted, name):
    calls = []
    original = getattr(loop, name)

    def replacement(*arguments, **keywords):
        calls.append(name)
        return original(*arguments, **keywords)

    with listening(loop, accepted) as (_, address), clients(address):
        setattr(loop, name, replacement)
        run_until(loop, lambda: accepted.made)
    # A method of the loop's own that asyncio calls for something else as well.
    assert calls or (name == "_accept_connection" and not isinstance(loop, greenloop.EventLoop))


def test_debug_mode_tells_of_each_connection(loop, accepted, caplog):
    loop.set_debug(True)
    with listening(loop, accepted) as (_, address), clients(address):
        with caplog.at_level("DEBUG", logger="asyncio"):
            run_until(loop, lambda: accepted.made)
    assert any("got a new connection from" in record.getMessage() for record in caplog.records)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio looks from 3.12 on")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_descriptor_that_has_a_transport_is_refused(loop, accepted, reports):
    """As happens when somebody closes a descriptor behind its transport's back."""
    factories = []

    class Imposter:
        def is_closing(self):
            return False

    imposter = Imposter()

    def factory():
        # Whichever descriptor the connection has, it is taken.
        factories.append(None)
        for number in range(200):
            loop._transports.setdefault(number, imposter)
        return accepted()

    with listening(loop, factory) as (_, address), clients(address) as [client]:
        run_until(loop, lambda: factories)
        client.settimeout(10)
        assert client.recv(1) == b""
    assert accepted.made == []
    assert reports == []


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_loop_that_is_dropped_while_it_serves_is_collected(loop_factory):
    loop = loop_factory()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Held by its server only, as are those that `create_server` makes.
        own = socket.socket(fileno=os.dup(listener.fileno()))
        own.setblocking(False)
        server = loop.run_until_complete(loop.create_server(Recorder, sock=own))
        with clients(listener.getsockname()):
            # Whatever has become of the connection by then.
            run(loop, 1)
            references = weakref.ref(loop), weakref.ref(server)
            del loop, server, own
            gc.collect()
            assert [reference() for reference in references] == [None, None]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the file stays, up to 3.12")
def test_the_file_of_a_closing_server_is_looked_for_by_asyncios_own_function(
    loop, accepted, tmp_path, monkeypatch
):
    # Tools that forbid a running loop to wait for the disk let this one function do it.
    path = str(tmp_path / "server")
    callers = []
    stat = os.stat

    def watched_stat(*arguments, **options):
        caller = sys._getframe(1).f_code
        callers.append((os.path.basename(caller.co_filename), caller.co_name))
        return stat(*arguments, **options)

    with listening(loop, accepted, path):
        monkeypatch.setattr(os, "stat", watched_stat)
    monkeypatch.undo()
    assert not os.path.exists(path)
    assert ("unix_events.py", "_stop_serving") in callers


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the file stays, up to 3.12")
def test_a_file_that_is_somebody_elses_by_now_is_left_alone(loop, accepted, tmp_path):
    path = str(tmp_path / "server")
    with listening(loop, accepted, path):
        os.rename(path, path + ".moved")
        with socket.socket(socket.AF_UNIX) as another:
            another.bind(path)
    assert os.path.exists(path)
