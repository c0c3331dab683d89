"""Names and objects behind the public interface that well-known libraries look at."""

import asyncio
import gc
import socket
import sys

import pytest


def test_the_root_task_is_known_by_its_callback(loop):
    """So AnyIO finds the task in which `run` has been called, to attach its scopes to it."""
    found = []

    async def main():
        child = asyncio.ensure_future(asyncio.sleep(0))
        await child
        for task in asyncio.all_tasks():
            for callback, _ in task._callbacks or ():
                if callback is asyncio.base_events._run_until_complete_cb:
                    found.append(task)
        return asyncio.current_task()

    assert [loop.run_until_complete(main())] == found


def test_what_is_ready_and_what_is_scheduled_can_be_listed(loop):
    assert len(loop._ready) == len(loop._scheduled) == 0
    soon = loop.call_soon(int)
    later = loop.call_later(1000, int)
    task = loop.create_task(asyncio.sleep(0))
    assert len(loop._ready) == 2
    assert soon in loop._ready
    assert list(loop._scheduled) == [later]
    assert all(isinstance(handle, asyncio.Handle) for handle in loop._ready)
    loop.run_until_complete(task)
    assert soon not in loop._ready
    later.cancel()


def test_the_default_executor_is_there_once_it_was_used(loop):
    assert loop._default_executor is None
    loop.run_until_complete(loop.run_in_executor(None, int))
    assert loop._default_executor.submit(int).result() == 0
    loop.run_until_complete(loop.shutdown_default_executor())


def test_a_loop_takes_any_attribute(loop):
    loop.mine = [loop]
    assert loop.mine == [loop]
    del loop.mine
    assert not hasattr(loop, "mine")
    # What tests put in the place of methods is called.
    loop.time = lambda: 5.0
    assert loop.call_later(2, int).when() == 7.0
    del loop.time
    assert loop.time() != 5.0


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_a_server_has_a_tuple_of_sockets_until_it_is_closed(loop, hosts):
    server = loop.run_until_complete(loop.create_server(asyncio.Protocol, hosts, 0))
    assert type(server.sockets) is tuple
    assert sorted(one.getsockname()[0] for one in server.sockets) == hosts
    assert {type(one) for one in server.sockets} == {asyncio.trsock.TransportSocket}
    assert server.is_serving()
    server.close()
    assert server.sockets == ()
    assert not server.is_serving()
    loop.run_until_complete(server.wait_closed())


def test_a_transport_of_a_subprocess_knows_the_popen(loop):
    async def main():
        transport, _ = await loop.subprocess_exec(
            asyncio.SubprocessProtocol, sys.executable, "-S", "-c", "input()"
        )
        popen = transport.get_extra_info("subprocess")
        assert type(popen).__name__ == "Popen"
        assert popen.pid == transport.get_pid()
        assert popen.stdin is not None
        stdin = transport.get_pipe_transport(0)
        assert stdin.get_extra_info("pipe") is popen.stdin
        stdin.close()
        while transport.get_returncode() is None:
            await asyncio.sleep(0.001)
        assert popen.returncode == transport.get_returncode() == 1
        transport.close()

    loop.run_until_complete(asyncio.wait_for(main(), 20))


def test_a_socket_of_a_transport_cannot_be_read_past_it(loop):
    """It tells about itself and can be configured; it has no way to take the transport's bytes."""

    async def main():
        near, far = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        view = transport.get_extra_info("socket")
        assert view.fileno() == near.fileno()
        view.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
        assert view.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= 10_000
        for name in (
            "recv",
            "send",
            "recv_into",
            "sendall",
            "accept",
            "connect",
            "close",
            "makefile",
        ):
            assert not hasattr(view, name)
        transport.abort()
        far.close()
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
