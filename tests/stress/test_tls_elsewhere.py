"""TLS where it cannot take short cuts: on loops, transports and sockets that do something else."""

import asyncio
import gc
import socket
import threading

import pytest

import greenloop
from greenloop import _native
from tls_contexts import CLIENT, SERVER, server_context


class CallsSoon(greenloop.EventLoop):
    def __init__(self):
        super().__init__()
        self.seen = []

    def call_soon(self, callback, *args, context=None):
        self.seen.append("call_soon")
        return super().call_soon(callback, *args, context=context)


class Watches(greenloop.EventLoop):
    """A loop that sees how descriptors are watched, for which transports are asyncio's own."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _add_reader(self, fd, callback, *args, **keywords):
        self.seen.append("_add_reader")
        return super()._add_reader(fd, callback, *args, **keywords)


class Times(greenloop.EventLoop):
    def __init__(self):
        super().__init__()
        self.seen = []

    def call_later(self, delay, callback, *args, context=None):
        self.seen.append("call_later")
        return super().call_later(delay, callback, *args, context=context)


def debugging():
    loop = greenloop.EventLoop()
    loop.set_debug(True)
    return loop


def patched():
    loop = greenloop.EventLoop()
    call_soon = loop.call_soon
    loop.call_soon = lambda *arguments, **keywords: call_soon(*arguments, **keywords)
    return loop


LOOPS = [CallsSoon, Watches, Times, debugging, patched]


class Slow:
    """A socket that sends and receives a few bytes at once."""

    def __init__(self, sock):
        self._sock = sock

    def send(self, data):
        return self._sock.send(bytes(data)[:1000])

    def sendmsg(self, chunks):
        return self._sock.send(b"".join(bytes(chunk) for chunk in chunks)[:1000])

    def recv_into(self, buffer):
        return self._sock.recv_into(memoryview(buffer)[:500])

    def __getattr__(self, name):
        return getattr(self._sock, name)


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.transport.write(data)

    def connection_lost(self, exception):
        self.lost.set_result(exception)


class Client(Echo):
    def __init__(self):
        self.data = bytearray()
        self.arrived = asyncio.Event()

    def data_received(self, data):
        self.data += data
        if len(self.data) == len(MESSAGE):
            self.arrived.set()


MESSAGE = bytes(range(256)) * 400


async def talk(loop, alter=lambda transport: None):
    ends = socket.socketpair()
    for one in ends:
        one.setblocking(False)
    client, server = Client(), Echo()
    await asyncio.gather(
        loop.create_connection(
            lambda: client, sock=ends[0], ssl=CLIENT, server_hostname="localhost"
        ),
        loop.connect_accepted_socket(lambda: server, sock=ends[1], ssl=SERVER),
    )
    alter(server.transport)
    client.transport.write(MESSAGE)
    await asyncio.wait_for(client.arrived.wait(), 20)
    client.transport.close()
    assert await client.lost is None
    assert await server.lost is None
    assert client.data == MESSAGE


@pytest.mark.parametrize("make", LOOPS, ids=lambda make: make.__name__)
def test_it_works_on_a_loop_that_does_something_else(make):
    loop = make()
    loop.run_until_complete(talk(loop))
    assert getattr(loop, "seen", ["nothing"])
    loop.close()


def test_it_works_over_a_socket_that_does_something_else():
    loop = greenloop.EventLoop()

    def alter(transport):
        below = transport._ssl_protocol._transport
        below._sock = Slow(below._sock)

    loop.run_until_complete(talk(loop, alter))
    loop.close()


@pytest.mark.parametrize("what", ["transport", "protocol"])
def test_a_method_that_an_instance_has_instead_is_called(what):
    loop = greenloop.EventLoop()
    seen = []

    def alter(transport):
        tls = transport._ssl_protocol
        if what == "transport":
            write = tls._transport.write
            tls._transport.write = lambda data: (seen.append(len(data)), write(data))[1]
        else:
            updated = tls.buffer_updated
            tls.buffer_updated = lambda count: (seen.append(count), updated(count))[1]

    loop.run_until_complete(talk(loop, alter))
    assert seen
    loop.close()


def test_loops_in_threads_do_not_disturb_each_other():
    """What shows memory to the `ssl` module is one for all, and `ssl` lets go of the GIL."""
    failures = []

    def run():
        loop = greenloop.EventLoop()
        try:
            for _ in range(10):
                loop.run_until_complete(talk(loop))
        except BaseException as failure:
            failures.append(failure)
        finally:
            loop.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_callback_of_the_context_may_write_and_close():
    """It is called from within the `ssl` module, in the middle of a handshake."""
    loop = greenloop.EventLoop()
    ends = socket.socketpair()
    for one in ends:
        one.setblocking(False)
    context = server_context()

    def choose(ssl_object, name, initial):
        transport = protocols[-1]._app_transport
        transport.write(b"early")
        transport.writelines([b"too"])
        transport.abort()

    context.sni_callback = choose
    protocols = []

    async def main():
        client, server = Client(), Echo()
        accepting = loop.create_task(
            loop.connect_accepted_socket(lambda: server, sock=ends[1], ssl=context)
        )
        await asyncio.sleep(0)
        # Nobody has its transport before the handshake is done.
        protocols.extend(one for one in gc.get_objects() if type(one) is _native.SSLProtocol)
        connecting = loop.create_connection(
            lambda: client, sock=ends[0], ssl=CLIENT, server_hostname="localhost"
        )
        return await asyncio.gather(accepting, connecting, return_exceptions=True)

    results = loop.run_until_complete(asyncio.wait_for(main(), 20))
    assert protocols and isinstance(results[1], OSError)
    loop.close()
