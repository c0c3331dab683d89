"""Joined or not, all that was written arrives, in order, whatever a job does besides."""

import asyncio
import os
import random
import select
import socket
import subprocess
import sys
import threading

import pytest
from habits import WELL_ESTABLISHED, in_a_job, received, tcp_pair, waits_with, write_in_pieces

import greenloop
from connections import Recorder, everything, run
from loop_turns import run_turns
from tls_contexts import CLIENT, SERVER

LOOKING = {
    "get_write_buffer_size": lambda transport: transport.get_write_buffer_size() == 0,
    "is_closing": lambda transport: transport.is_closing() is False,
    "get_extra_info": lambda transport: transport.get_extra_info("socket") is not None,
    "write_eof": lambda transport: transport.write_eof() is None,
}

WRITING_ON = {
    "set_write_buffer_limits": lambda transport: transport.set_write_buffer_limits(99),
    "close": lambda transport: transport.close(),
    "abort": lambda transport: transport.abort(),
    "memoryview": lambda transport: transport.write(memoryview(b"y")),
    "much": lambda transport: transport.write(bytes(17 * 1024)),
    "writelines": lambda transport: transport.writelines([b"y", b"z"]),
    "no lines": lambda transport: transport.writelines([]),
    "pause_reading": lambda transport: transport.pause_reading(),
    "_buffer": lambda transport: transport._buffer,
}


@pytest.mark.parametrize("look", LOOKING.values(), ids=LOOKING.keys())
def test_a_look_at_the_socket_sends_everything_first(loop, habitual, look):
    protocol, far = habitual
    number = protocol.transport.get_extra_info("socket").fileno()

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(bytearray(b"b"))
        assert look(protocol.transport)
        return waits_with(number)

    assert in_a_job(loop, job) == 0
    assert received(far, 2) == b"ab"


@pytest.mark.parametrize("go_on", WRITING_ON.values(), ids=WRITING_ON.keys())
def test_however_a_job_goes_on_what_it_wrote_arrives_first(loop, habitual, go_on):
    protocol, far = habitual

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(b"b")
        go_on(protocol.transport)

    in_a_job(loop, job)
    assert received(far, 2)[:2] == b"ab"


def shut_down(sock, _):
    sock.shutdown(socket.SHUT_WR)


def shut_down_a_duplicate(_, number):
    with socket.socket(fileno=os.dup(number)) as other:
        other.shutdown(socket.SHUT_WR)


def write_to_the_descriptor(_, number):
    os.write(number, b"raw")


def send_by_a_duplicate(_, number):
    with socket.socket(fileno=os.dup(number)) as other:
        other.send(b"raw")


def write_in_a_child(_, number):
    subprocess.run(["/usr/bin/printf", "raw"], stdout=number, check=True)


def fork_a_child_that_ends(_, number):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    os.write(number, b"raw")


PAST_THE_TRANSPORT = [
    (shut_down, b""),
    (shut_down_a_duplicate, b""),
    (write_to_the_descriptor, b"raw"),
    (send_by_a_duplicate, b"raw"),
    (write_in_a_child, b"raw"),
    (fork_a_child_that_ends, b"raw"),
]


@pytest.mark.parametrize(
    ("act", "then"), PAST_THE_TRANSPORT, ids=[act.__name__ for act, _ in PAST_THE_TRANSPORT]
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_is_done_past_the_transport_comes_after_what_was_written(loop, habitual, act, then):
    protocol, far = habitual
    sock = protocol.transport.get_extra_info("socket")
    number = sock.fileno()

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(b"b")
        act(sock, number)
        return received(far, 2 + len(then))

    # During the job: the peer need not wait until it is done.
    assert in_a_job(loop, job) == b"ab" + then


LAST_WORDS = """
import asyncio, os, signal, sys
import greenloop

async def main(way, number):
    import socket
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=sock)
    for _ in range(6):
        transport.write(b"<")
        transport.write(b">")
        await asyncio.sleep(0)
    transport.write(b"a")
    transport.write(b"b")
    if way == "_exit":
        os._exit(0)
    elif way == "execv":
        os.execv("/bin/true", ["true"])
    elif way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "abort":
        os.abort()

factory = {"asyncio": asyncio.SelectorEventLoop, "greenloop": greenloop.new_event_loop}[sys.argv[1]]
asyncio.Runner(loop_factory=factory).run(main(sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["asyncio", "greenloop"])
@pytest.mark.parametrize("way", ["_exit", "execv", "kill", "abort"])
def test_the_last_words_of_a_process_arrive_however_it_ends(kind, way):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with far:
        number = near.fileno()
        command = [sys.executable, "-X", "faulthandler=0", "-c", LAST_WORDS, kind, way, str(number)]
        process = subprocess.Popen(command, pass_fds=(number,), stderr=subprocess.DEVNULL)
        near.close()
        far.settimeout(20)
        data = bytearray()
        while part := far.recv(100):
            data += part
        process.wait()
    assert data == b"<>" * 6 + b"ab"


def test_a_transport_that_is_dropped_by_its_job_has_sent_what_it_wrote(loop):
    near, far = tcp_pair()

    async def lead_a_life():
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        await write_in_pieces(transport)
        transport.write(b"a")
        transport.write(b"b")
        transport.close()

    loop.run_until_complete(lead_a_life())
    run(loop)
    with far:
        expected = b"<>" * WELL_ESTABLISHED + b"ab"
        assert received(far, len(expected)) == expected
        select.select([far], [], [], 10)
        assert far.recv(1) == b""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_pieces_every_byte_arrives_in_order(loop, peer_of, seed):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    chance = random.Random(seed)
    written, got = bytearray(), bytearray()
    # Of one kind mostly, so that habits are made.
    pieces = chance.choice([1, 2, 2, 3])

    async def write():
        for _ in range(200):
            for _ in range(pieces if chance.random() < 0.95 else chance.randrange(4)):
                size = chance.choice([1, 10, 500, 9000, 70_000])
                data = chance.choice([bytes, bytearray, memoryview])(chance.randbytes(size))
                written.extend(data)
                protocol.transport.write(data)
            if chance.random() < 0.1:
                lines = [b"-" * chance.randrange(3), b"+"]
                written.extend(b"".join(lines))
                protocol.transport.writelines(lines)
            await asyncio.sleep(0)
            if chance.random() < 0.7:
                got.extend(everything(far))

    loop.run_until_complete(write())
    while protocol.transport.get_write_buffer_size():
        got.extend(everything(far))
        run(loop, 1)
    got.extend(received(far, len(written) - len(got)))
    assert got == written


@pytest.mark.parametrize("seed", range(15))
def test_whatever_jobs_do_besides_every_byte_arrives_in_order(loop, peer_of, tmp_path, seed):
    """Each job writes in pieces, does something else, and writes on."""
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    transport = protocol.transport
    number = transport.get_extra_info("socket").fileno()
    chance = random.Random(seed)
    written, got = bytearray(), bytearray()
    loop.set_exception_handler(lambda *_: None)

    def write(kind=bytes):
        data = kind(chance.randbytes(chance.choice([1, 100, 3000])))
        written.extend(data)
        transport.write(data)

    def write_past_it():
        if transport.get_write_buffer_size() == 0:
            written.extend(b"past")
            os.write(number, b"past")

    def raise_an_error():
        write()
        raise ZeroDivisionError

    def write_lines():
        lines = [b"line", bytearray(b"and"), memoryview(b"another")]
        written.extend(b"".join(lines))
        transport.writelines(lines)

    def toggle_reading():
        transport.pause_reading()
        write()
        transport.resume_reading()

    besides = [
        write,
        write_past_it,
        raise_an_error,
        write_lines,
        toggle_reading,
        loop.stop,
        lambda: write(bytearray),
        lambda: write(memoryview),
        lambda: transport.set_write_buffer_limits(chance.choice([0, 100, 65536])),
    ]

    def job():
        for _ in range(2):
            write()
        if chance.random() < 0.5:
            chance.choice(besides)()
        write()

    for _ in range(100):
        loop.call_soon(job)
        run_turns(loop)
        if chance.random() < 0.5:
            got.extend(everything(far))
    if chance.random() < 0.3:
        (tmp_path / "file").write_bytes(b"of a file" * 100)
        written.extend(b"of a file" * 100)
        with open(tmp_path / "file", "rb") as file:
            loop.run_until_complete(loop.sendfile(transport, file))

    def end():
        write()
        write()
        if chance.random() < 0.5:
            transport.write_eof()
        transport.close()

    loop.call_soon(end)
    while "lost" not in protocol.names:
        got.extend(everything(far))
        run(loop, 1)
    got.extend(received(far, len(written) - len(got)))
    assert got == written


def test_what_a_job_wrote_before_it_begins_tls_is_sent_before_it(loop):
    near, far = tcp_pair()
    far.setblocking(True)
    seen = []

    def peer():
        far.settimeout(20)
        before = b""
        while not before.endswith(b"ab"):
            before += far.recv(2 * WELL_ESTABLISHED + 2 - len(before))
        seen.append(before)
        with SERVER.wrap_socket(far, server_side=True) as wrapped:
            seen.append(wrapped.recv(100))

    async def main():
        transport, protocol = await loop.create_connection(asyncio.Protocol, sock=near)
        await write_in_pieces(transport)
        transport.write(b"a")
        transport.write(b"b")
        transport = await loop.start_tls(transport, protocol, CLIENT, server_hostname="localhost")
        transport.write(b"c")
        transport.close()

    thread = threading.Thread(target=peer)
    thread.start()
    loop.run_until_complete(main())
    run(loop)
    thread.join()
    assert seen == [b"<>" * WELL_ESTABLISHED + b"ab", b"c"]


@pytest.mark.parametrize("streams", [asyncio, greenloop], ids=["asyncio's", "ours"])
def test_a_drain_sends_what_was_written_before_it(loop, streams):
    near, far = tcp_pair()

    async def write():
        _, writer = await streams.open_connection(sock=near)
        for _ in range(WELL_ESTABLISHED):
            writer.write(b"<")
            writer.write(b">")
            await writer.drain()
            assert waits_with(near.fileno()) == 0
            await asyncio.sleep(0)
        assert received(far, 2 * WELL_ESTABLISHED) == b"<>" * WELL_ESTABLISHED
        writer.write(b"a")
        await writer.drain()
        assert received(far, 1) == b"a"
        writer.writelines([b"b", b"c"])
        await writer.drain()
        assert received(far, 2) == b"bc"
        writer.close()
        await writer.wait_closed()

    loop.run_until_complete(write())
    far.close()
