"""What a sane program makes: the recipes by which a fuzzer's world makes its objects."""

import asyncio
import socket
import ssl

from fuzz_values import evil

import greenloop
from greenloop import _native


def _server_side(w):
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _connect(w, factory, *arguments, **keywords):
    """A transport that is made in a few turns."""
    return w.loop.create_task(w.loop.create_connection(factory, sock=w.socket(), **keywords))


def _transport(w):
    """A transport and its protocol at once, if the world can run its loop now."""
    protocol = w.rng.choice([asyncio.Protocol, asyncio.BufferedProtocol, lambda: evil(w), w.pick])
    task = _connect(w, protocol)
    return _finish(w, task)


def _finish(w, task):
    if w.running:
        return task
    w.running += 1
    try:
        w.loop.call_later(0.01, w.loop.stop)
        made = w.loop.run_until_complete(task)
    finally:
        w.running -= 1
    if isinstance(made, tuple):
        for one in made:
            w.add(one)
        return made[0]
    return made


def _tls(w):
    context = ssl.create_default_context()
    context.check_hostname = False
    return _connect(w, asyncio.Protocol, ssl=context, server_hostname="")


def _datagram_socket(w):
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    far.send(b"a datagram")
    w.sockets += [near, far]
    return near


# By name, for those who read a trace.
RECIPES = {
    "Lock": lambda w: greenloop.Lock(),
    "Event": lambda w: greenloop.Event(),
    "Condition": lambda w: greenloop.Condition(),
    "Condition of a lock": lambda w: greenloop.Condition(greenloop.Lock()),
    "Semaphore": lambda w: greenloop.Semaphore(w.rng.randrange(3)),
    "BoundedSemaphore": lambda w: greenloop.BoundedSemaphore(1),
    "Barrier": lambda w: greenloop.Barrier(2),
    "Queue": lambda w: greenloop.Queue(w.rng.randrange(3)),
    "LifoQueue": lambda w: greenloop.LifoQueue(w.rng.randrange(3)),
    "PriorityQueue": lambda w: greenloop.PriorityQueue(w.rng.randrange(3)),
    "ThreadQueue": lambda w: greenloop.ThreadQueue(),
    "Future": lambda w: w.loop.create_future(),
    "Future of the class": lambda w: greenloop.Future(loop=w.loop),
    "Task": lambda w: w.loop.create_task(w.body()),
    "Task of the class": lambda w: greenloop.Task(w.body(), loop=w.loop),
    "Handle": lambda w: w.loop.call_soon(w.method(), *w.several()),
    "TimerHandle": lambda w: w.loop.call_later(0.001, w.method(), *w.several()),
    "Handle of the class": lambda w: greenloop.Handle(w.method(), w.several(), w.loop),
    "TimerHandle of the class": lambda w: greenloop.TimerHandle(
        1.5, w.method(), w.several(), w.loop
    ),
    "threadsafe": lambda w: w.loop.call_soon_threadsafe(w.method()),
    "Timeout": lambda w: greenloop.Timeout(w.rng.choice([None, 0, w.loop.time()])),
    "TaskGroup": lambda w: greenloop.TaskGroup(),
    "StreamReader": lambda w: greenloop.StreamReader(loop=w.loop),
    "StreamReaderProtocol": lambda w: greenloop.StreamReaderProtocol(
        greenloop.StreamReader(loop=w.loop), w.method(), w.loop
    ),
    "FlowControlMixin": lambda w: _native.FlowControlMixin(w.loop),
    "StreamWriter": lambda w: greenloop.StreamWriter(
        _transport(w),
        greenloop.StreamReaderProtocol(reader := greenloop.StreamReader(loop=w.loop), None, w.loop),
        reader,
        w.loop,
    ),
    "gather": lambda w: greenloop.gather(w.loop.create_future(), w.ours()),
    "shield": lambda w: greenloop.shield(w.ours()),
    "wait_for": lambda w: greenloop.wait_for(w.ours(), w.rng.choice([None, 0, 0.001])),
    "wait": lambda w: greenloop.wait([w.loop.create_task(w.body())]),
    "as_completed": lambda w: greenloop.as_completed(
        [w.loop.create_future(), w.loop.create_task(w.body())]
    ),
    "sleep": lambda w: greenloop.sleep(w.rng.choice([0, 0.001, w.pick()]), w.pick()),
    "get": lambda w: greenloop.Queue().get(),
    "put": lambda w: greenloop.Queue(1).put(w.pick()),
    "acquire": lambda w: greenloop.Lock().acquire(),
    "method": lambda w: getattr(
        w.ours(),
        w.rng.choice(["get", "put", "acquire", "wait", "join", "read", "readline", "drain"]),
    )(),
    "sock_recv": lambda w: w.loop.sock_recv(w.socket(), 100),
    "sock_recv_into": lambda w: w.loop.sock_recv_into(w.socket(), bytearray(100)),
    "sock_sendall": lambda w: w.loop.sock_sendall(w.socket(), b"bytes" * 1000),
    "sock_accept": lambda w: w.loop.sock_accept(w.socket()),
    "add_reader": lambda w: w.loop.add_reader(w.socket(), w.method()),
    "add_writer": lambda w: w.loop.add_writer(w.socket(), w.method()),
    "transport": _transport,
    "transport later": lambda w: _connect(w, asyncio.Protocol),
    "evil transport": lambda w: _connect(w, lambda: evil(w)),
    "streams": lambda w: _finish(w, w.loop.create_task(greenloop.open_connection(sock=w.socket()))),
    "tls": _tls,
    "SSLProtocol": lambda w: _native.SSLProtocol(
        w.loop, asyncio.Protocol(), _server_side(w), None, True
    ),
    "server": lambda w: _finish(
        w, w.loop.create_task(w.loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
    ),
    "datagrams": lambda w: _finish(
        w,
        w.loop.create_task(
            w.loop.create_datagram_endpoint(lambda: evil(w), sock=_datagram_socket(w))
        ),
    ),
    "Runner": lambda w: greenloop.Runner(),
    "loop": lambda w: w.loop,
}
