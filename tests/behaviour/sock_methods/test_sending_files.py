"""Files sent by `loop.sock_sendfile`, by the system or by reading and sending.

What `loop.sendfile` does for transports is in `transports/test_transports.py` and
`tls/test_tls.py`.
"""

import asyncio
import io
import os
import socket

import pytest

from connections import everything, run, run_until

CONTENT = os.urandom(300_000)


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    for one in (near, far):
        one.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture(params=["a file", "a buffer"])
def source(request, tmp_path):
    """The system can send from a file; what is only like one has to be read."""
    if request.param == "a buffer":
        yield io.BytesIO(CONTENT)
        return
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        yield file


def send(loop, near, far, *arguments, **options):
    """Send a file to a peer that reads; return what the loop says was sent, and what came."""
    task = loop.create_task(loop.sock_sendfile(near, *arguments, **options))
    came = bytearray()

    def is_over():
        came.extend(everything(far))
        return task.done()

    run_until(loop, is_over)
    return task.result(), bytes(came + everything(far))


@pytest.mark.parametrize(
    ("offset", "count"), [(0, None), (10, None), (0, 1), (299_999, 5), (1000, 250_000)]
)
def test_a_part_of_a_file_is_sent(loop, pair, source, offset, count):
    expected = CONTENT[offset:][:count]
    sent, came = send(loop, *pair, source, offset, count)
    assert (sent, came) == (len(expected), expected)
    assert source.tell() == offset + len(expected)


def test_what_is_no_file_is_sent_only_if_it_may_be_read(loop, pair):
    with pytest.raises(asyncio.SendfileNotAvailableError):
        send(loop, *pair, io.BytesIO(CONTENT), fallback=False)


def test_a_peer_that_goes_away_ends_the_sending(loop, pair, source):
    near, far = pair
    task = loop.create_task(loop.sock_sendfile(near, source))
    run_until(loop, lambda: everything(far))
    far.close()
    run_until(loop, task.done)
    assert isinstance(task.exception(), (BrokenPipeError, ConnectionResetError))


def test_sending_can_be_cancelled(loop, pair, source):
    near, far = pair
    task = loop.create_task(loop.sock_sendfile(near, source))
    run(loop)
    # Nobody reads, and not all of it has room.
    assert not task.done()
    task.cancel()
    run_until(loop, task.done)
    assert task.cancelled()
    came = everything(far)
    assert came and CONTENT.startswith(came)
    # The socket can be used for something else.
    loop.run_until_complete(loop.sock_sendall(near, b"after"))
    assert everything(far) == b"after"
