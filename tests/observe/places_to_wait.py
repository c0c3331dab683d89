"""The waits that tasks of asyncio's programs are found in: each is a coroutine that never ends.

A wait is given the names that the program uses, those of the module `asyncio` or of `greenloop`.
Some need no more than tasks; the others use the network API of the loop, or its threads.
"""

import asyncio.locks
import contextlib
import socket
import ssl
import sys


async def _forever(kit):
    await kit.Event().wait()


@contextlib.contextmanager
def _pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


async def get(kit):
    await kit.Queue().get()


async def get_by_priority(kit):
    await kit.PriorityQueue().get()


async def put(kit):
    queue = kit.LifoQueue(1)
    await queue.put(1)
    await queue.put(2)


async def join(kit):
    queue = kit.Queue()
    queue.put_nowait(1)
    await queue.join()


async def lock(kit):
    held = kit.Lock()
    await held.acquire()
    await held.acquire()


async def with_lock(kit):
    held = kit.Lock()
    await held.acquire()
    async with held:
        pass


async def semaphore(kit):
    await kit.Semaphore(0).acquire()


async def with_semaphore(kit):
    async with kit.BoundedSemaphore(0):
        pass


async def event(kit):
    await kit.Event().wait()


async def condition(kit):
    held = kit.Condition()
    async with held:
        await held.wait()


async def condition_for(kit):
    held = kit.Condition()
    async with held:
        await held.wait_for(lambda: False)


async def with_condition(kit):
    held = kit.Condition()
    await held.acquire()
    async with held:
        pass


async def _notify_and_keep(kit, held):
    async with held:
        held.notify_all()
        await _forever(kit)


async def condition_to_lock(kit):
    held = kit.Condition()
    async with held:
        keeper = kit.create_task(_notify_and_keep(kit, held))
        await held.wait()
    keeper.cancel()


async def condition_for_to_lock(kit):
    held = kit.Condition()
    async with held:
        keeper = kit.create_task(_notify_and_keep(kit, held))
        await held.wait_for(lambda: False)
    keeper.cancel()


async def barrier(kit):
    await kit.Barrier(2).wait()


async def with_barrier(kit):
    async with kit.Barrier(2):
        pass


async def barrier_outside(kit):
    draining = kit.Barrier(2)
    draining._state = asyncio.locks._BarrierState.DRAINING
    await draining.wait()


async def barrier_entering(kit):
    held = kit.Barrier(2)
    await held._cond.acquire()
    await held.wait()


async def barrier_abort(kit):
    held = kit.Barrier(2)
    await held._cond.acquire()
    await held.abort()


async def sleep(kit):
    await kit.sleep(1000)


async def turns(kit):
    while True:
        await kit.sleep(0)


async def wait_for(kit):
    await kit.wait_for(_forever(kit), 1000)


async def wait_for_without_limit(kit):
    await kit.wait_for(_forever(kit), None)


async def wait_for_in_itself(kit):
    await kit.wait_for(kit.wait_for(kit.Queue().get(), 1000), 1000)


async def wait_for_a_task(kit):
    await kit.wait_for(kit.create_task(_forever(kit)), 1000)


async def wait_for_a_future(kit):
    await kit.wait_for(kit.Future(), 1000)


async def _reluctant(kit, last):
    try:
        await _forever(kit)
    finally:
        await last


async def wait_for_no_time(kit):
    last = kit.Event()
    reluctant = kit.create_task(_reluctant(kit, last.wait()))
    await kit.sleep(0)
    await kit.wait_for(reluctant, 0)


async def timeout(kit):
    async with kit.timeout(1000):
        await _forever(kit)


async def gather(kit):
    await kit.gather(_forever(kit), _forever(kit))


async def shield(kit):
    await kit.shield(_forever(kit))


async def wait(kit):
    await kit.wait([kit.create_task(_forever(kit))])


async def as_completed(kit):
    for earliest in kit.as_completed([_forever(kit)]):
        await earliest


async def as_completed_in_async_for(kit):
    async for _ in kit.as_completed([_forever(kit)]):
        pass


async def task_group(kit):
    async with kit.TaskGroup() as group:
        group.create_task(_forever(kit))


async def task(kit):
    await kit.create_task(_forever(kit))


async def future(kit):
    await kit.Future()


@contextlib.asynccontextmanager
async def _streams(kit):
    with _pair() as (near, _):
        reader, writer = await kit.open_connection(sock=near)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def read(kit):
    async with _streams(kit) as (reader, _):
        await reader.read(10)


async def read_all(kit):
    async with _streams(kit) as (reader, _):
        await reader.read()


async def read_exactly(kit):
    async with _streams(kit) as (reader, _):
        await reader.readexactly(10)


async def read_line(kit):
    async with _streams(kit) as (reader, _):
        await reader.readline()


async def read_until(kit):
    async with _streams(kit) as (reader, _):
        await reader.readuntil(b";")


async def read_lines(kit):
    async with _streams(kit) as (reader, _):
        async for _ in reader:
            pass


async def drain(kit):
    async with _streams(kit) as (_, writer):
        writer.write(bytes(10_000_000))
        await writer.drain()


async def wait_closed(kit):
    async with _streams(kit) as (_, writer):
        await writer.wait_closed()


async def open_with_tls(kit):
    with _pair() as (near, _):
        context = ssl.create_default_context()
        await kit.open_connection(sock=near, ssl=context, server_hostname="localhost")


async def start_tls(kit):
    async with _streams(kit) as (_, writer):
        await writer.start_tls(ssl.create_default_context(), server_hostname="localhost")


async def sock_recv(kit):
    with _pair() as (near, _):
        await kit.get_running_loop().sock_recv(near, 10)


async def sock_recv_into(kit):
    with _pair() as (near, _):
        await kit.get_running_loop().sock_recv_into(near, bytearray(10))


async def sock_recvfrom(kit):
    with _pair() as (near, _):
        await kit.get_running_loop().sock_recvfrom(near, 10)


async def sock_sendall(kit):
    with _pair() as (near, _):
        await kit.get_running_loop().sock_sendall(near, bytes(10_000_000))


async def sock_accept(kit):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await kit.get_running_loop().sock_accept(listener)


async def to_thread(kit):
    with _pair() as (near, far):
        near.setblocking(True)
        try:
            await kit.to_thread(near.recv, 1)
        finally:
            far.send(b"x")


async def serve_forever(kit):
    server = await kit.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with server:
        await server.serve_forever()


WAITS_OF_ANY_LOOP = [
    get,
    get_by_priority,
    put,
    join,
    lock,
    with_lock,
    semaphore,
    with_semaphore,
    event,
    condition,
    condition_for,
    with_condition,
    condition_to_lock,
    condition_for_to_lock,
    barrier,
    with_barrier,
    barrier_outside,
    barrier_entering,
    barrier_abort,
    sleep,
    turns,
    wait_for,
    wait_for_without_limit,
    wait_for_in_itself,
    wait_for_a_task,
    wait_for_a_future,
    wait_for_no_time,
    timeout,
    gather,
    shield,
    wait,
    as_completed,
    task_group,
    task,
    future,
]
WAITS_OF_A_LOOP = [
    read,
    read_all,
    read_exactly,
    read_line,
    read_until,
    read_lines,
    drain,
    wait_closed,
    open_with_tls,
    start_tls,
    sock_recv,
    sock_recv_into,
    sock_recvfrom,
    sock_sendall,
    sock_accept,
    to_thread,
    serve_forever,
]
if sys.version_info >= (3, 13):
    WAITS_OF_ANY_LOOP.append(as_completed_in_async_for)
WAITS = WAITS_OF_ANY_LOOP + WAITS_OF_A_LOOP
