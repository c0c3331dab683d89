"""A program that uses all of the extension once or twice, for valgrind to watch: `make valgrind`.

Each part checks what it has done, and valgrind what was done to memory.
"""

import asyncio
import contextlib
import gc
import os
import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

import greenloop  # noqa: E402
import tls_contexts  # noqa: E402 - from `tests/support`


async def tasks_and_futures():
    loop = asyncio.get_running_loop()

    async def double(number):
        await greenloop.sleep(0)
        return 2 * number

    assert await greenloop.gather(*map(double, range(50))) == [2 * n for n in range(50)]
    done, _ = await greenloop.wait([loop.create_task(double(1), name="named")])
    assert done.pop().result() == 2
    assert sorted([await one for one in greenloop.as_completed(map(double, range(5)))]) == [
        0, 2, 4, 6, 8,
    ]  # fmt: skip
    future = loop.create_future()
    future.add_done_callback(lambda future: None)
    loop.call_soon(future.set_exception, ValueError("expected"))
    with contextlib.suppress(ValueError):
        await greenloop.shield(future)
    task = loop.create_task(greenloop.sleep(100))
    await greenloop.sleep(0)
    task.cancel("enough")
    with contextlib.suppress(asyncio.CancelledError):
        await task
    async with greenloop.TaskGroup() as group:
        group.create_task(double(1))
        group.create_task(double(2))
    repr(task), repr(future), greenloop.current_task(), asyncio.all_tasks()
    task.get_stack(), task.print_stack(file=open(os.devnull, "w"))


async def timers():
    loop = asyncio.get_running_loop()
    handles = [loop.call_later(0.001 * n, int) for n in range(100)]
    for handle in handles[::2]:
        handle.cancel()
    loop.call_at(loop.time() + 0.001, int)
    await greenloop.sleep(0.01, "result")
    for limit in (0.001, 10):
        with contextlib.suppress(TimeoutError):
            async with greenloop.timeout(limit):
                await greenloop.sleep(0.005)
        with contextlib.suppress(TimeoutError):
            await greenloop.wait_for(greenloop.sleep(0.005), limit)


async def primitives():
    lock, event, condition = greenloop.Lock(), greenloop.Event(), greenloop.Condition()
    semaphore, barrier = greenloop.BoundedSemaphore(2), greenloop.Barrier(3)
    queues = [greenloop.Queue(2), greenloop.LifoQueue(), greenloop.PriorityQueue()]

    async def user(number):
        async with lock, semaphore:
            await greenloop.sleep(0)
        await barrier.wait()
        async with condition:
            condition.notify_all()
        event.set()
        for queue in queues:
            await queue.put(number)

    async def taker():
        await event.wait()
        for queue in queues:
            for _ in range(3):
                await queue.get()
                queue.task_done()
            await queue.join()

    async def waiter():
        async with condition:
            await condition.wait()

    await greenloop.gather(waiter(), taker(), *map(user, range(3)))
    waiting = asyncio.ensure_future(queues[0].get())
    await greenloop.sleep(0)
    waiting.cancel()
    await greenloop.wait([waiting])


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        writer.writelines([line[:1], line[1:]])
        await writer.drain()
    writer.close()


async def connections():
    for contexts in ({}, {"tls": True}):
        tls = bool(contexts)
        server = await greenloop.start_server(
            echo, "127.0.0.1", 0, ssl=tls_contexts.SERVER if tls else None
        )
        reader, writer = await greenloop.open_connection(
            *server.sockets[0].getsockname(),
            ssl=tls_contexts.CLIENT if tls else None,
            server_hostname="localhost" if tls else None,
        )
        for line in (b"short\n", b"x" * 60000 + b"\n", b"y" * 300 + b"\n"):
            writer.write(line)
            await writer.drain()
            assert await reader.readexactly(2 * len(line)) == 2 * line
        writer.write(b"until|")
        writer.write(b"\n")
        assert await reader.readuntil(b"|") == b"until|"
        assert len(await reader.read(100)) > 0
        writer.close()
        server.close()
        await server.wait_closed()
    near, far = socket.socketpair()
    reader, writer = await greenloop.open_connection(sock=near)
    far.close()
    assert await reader.read() == b""
    writer.close()


async def datagrams():
    loop = asyncio.get_running_loop()
    received = loop.create_future()

    class Protocol(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            if not received.done():
                received.set_result((data, address))

    listening, _ = await loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    sending, _ = await loop.create_datagram_endpoint(
        Protocol, remote_addr=listening.get_extra_info("sockname")
    )
    sending.sendto(b"datagram")
    assert (await received)[0] == b"datagram"
    sending.close()
    listening.close()


async def sockets():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        accepting = asyncio.ensure_future(loop.sock_accept(listener))
        await loop.sock_connect(client, listener.getsockname())
        server, _ = await accepting
        with server:
            receiving = asyncio.ensure_future(loop.sock_recv(server, 100))
            await greenloop.sleep(0.001)
            await loop.sock_sendall(client, b"bytes")
            assert await receiving == b"bytes"
            buffer = bytearray(10)
            await loop.sock_sendall(server, memoryview(b"more"))
            assert await loop.sock_recv_into(client, buffer) == 4
            with contextlib.suppress(TimeoutError):
                await greenloop.wait_for(loop.sock_recv(server, 1), 0.001)
    with contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as one:
        one.setblocking(False)
        one.bind(("127.0.0.1", 0))
        await loop.sock_sendto(one, b"self", one.getsockname())
        assert (await loop.sock_recvfrom(one, 10))[0] == b"self"


async def pipes_and_subprocesses():
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    reader = greenloop.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: greenloop.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
    )
    os.write(writing, b"piped\n")
    assert await reader.readline() == b"piped\n"
    transport.close()
    os.close(writing)
    process = await greenloop.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    assert await process.communicate(b"through cat") == (b"through cat", None)
    assert process.returncode == 0


async def threads_and_signals():
    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(sum, [1, 2]) == 3
    done = loop.create_future()
    thread = threading.Thread(
        target=lambda: [
            loop.call_soon_threadsafe(int),
            asyncio.run_coroutine_threadsafe(greenloop.sleep(0), loop).result(),
            loop.call_soon_threadsafe(done.set_result, None),
        ]
    )
    thread.start()
    await done
    thread.join()
    signalled = greenloop.Event()
    loop.add_signal_handler(signal.SIGUSR1, signalled.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await signalled.wait()
    loop.remove_signal_handler(signal.SIGUSR1)
    assert await loop.getaddrinfo("127.0.0.1", 80)


async def what_goes_wrong():
    loop = asyncio.get_running_loop()
    reports = []
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    loop.call_soon(lambda: 1 / 0)

    async def fail():
        raise ValueError("expected")

    with contextlib.suppress(ExceptionGroup):
        async with greenloop.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(greenloop.sleep(10))
    lost = asyncio.ensure_future(fail())
    await greenloop.sleep(0)
    del lost
    gc.collect()
    await greenloop.sleep(0)
    assert len(reports) == 2, reports
    loop.set_exception_handler(None)


PARTS = [
    tasks_and_futures,
    timers,
    primitives,
    connections,
    datagrams,
    sockets,
    pipes_and_subprocesses,
    threads_and_signals,
    what_goes_wrong,
]


async def main():
    # Under valgrind everything is slow.
    asyncio.get_running_loop().slow_callback_duration = 1000
    for part in PARTS:
        await part()
        print(part.__name__, flush=True)


if __name__ == "__main__":
    for debug in (False, True):
        greenloop.run(main(), debug=debug)
        gc.collect()
    print("done")
