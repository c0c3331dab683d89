"""Flow control of streams: the limit that holds up a sender, and `drain`, which waits for room."""

import asyncio

import pytest
from streams_under_test import Transport, reader_with, turns_of


def test_a_sender_is_held_up_over_twice_the_limit(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=4)
        transport = Transport()
        reader.set_transport(transport)
        with pytest.raises(AssertionError, match="Transport already set"):
            reader.set_transport(transport)
        reader.feed_data(b"12345678")
        assert transport.calls == []
        reader.feed_data(b"9")
        assert transport.calls == ["pause"]
        assert "paused" in repr(reader)
        await reader.readexactly(4)
        assert transport.calls == ["pause"]
        await reader.readexactly(1)
        assert transport.calls == ["pause", "resume"]

    run(main())


def test_a_wait_for_data_resumes_a_paused_sender(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=1)
        transport = Transport()
        reader.set_transport(transport)
        reader.feed_data(b"123")
        task = asyncio.ensure_future(reader.readexactly(5))
        await asyncio.sleep(0)
        assert transport.calls == ["pause", "resume"]
        reader.feed_data(b"45")
        assert transport.calls == ["pause", "resume", "pause"]
        assert await task == b"12345"

    run(main())


def test_a_transport_that_cannot_pause_is_asked_once(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=1)
        reader.set_transport(asyncio.Transport())
        reader.feed_data(b"123")
        assert reader._transport is None
        reader.feed_data(b"456")

    run(main())


def test_the_limit_can_be_moved(streams, run):
    async def main():
        reader = reader_with(streams, b"x" * 70_000 + b"\n")
        reader._limit = 2**20
        assert "limit=1048576" in repr(reader)
        assert len(await reader.readline()) == 70_001

    run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(streams, run, limit):
    async def main():
        with pytest.raises(ValueError, match="^Limit cannot be <= 0$"):
            streams.StreamReader(limit=limit, loop=asyncio.get_running_loop())

    run(main())


def test_drain_waits_until_the_transport_has_room(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        writer = streams.StreamWriter(Transport(), protocol, reader, loop)
        writer.write(b"data")
        writer.writelines([])
        assert await turns_of(writer.drain()) == (0, None)
        protocol.pause_writing()
        with pytest.raises(AssertionError):
            protocol.pause_writing()
        tasks = [asyncio.ensure_future(writer.drain()) for _ in range(3)]
        await asyncio.sleep(0)
        assert len(protocol._drain_waiters) == 3
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert not tasks[0].done()
        protocol.resume_writing()
        await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [True] * 3
        assert not protocol._drain_waiters
        writer.close()

    run(main())


@pytest.mark.parametrize("error", [None, ConnectionAbortedError("gone")])
def test_the_end_of_a_connection_reaches_the_waiters_of_drain(streams, run, error):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        transport = Transport()
        protocol.connection_made(transport)
        writer = streams.StreamWriter(transport, protocol, reader, loop)
        protocol.pause_writing()
        task = asyncio.ensure_future(writer.drain())
        closed = asyncio.ensure_future(writer.wait_closed())
        await asyncio.sleep(0)
        transport.closing = True
        protocol.connection_lost(error)
        outcomes = await asyncio.gather(task, closed, return_exceptions=True)
        assert outcomes == [error, error]
        assert reader.at_eof() == (error is None)
        with pytest.raises(ConnectionError):
            await writer.drain()

    run(main())


def test_draining_a_closing_transport_costs_one_turn(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        protocol = streams.StreamReaderProtocol(None, loop=loop)
        transport = Transport()
        writer = streams.StreamWriter(transport, protocol, None, loop)
        transport.closing = True
        assert await turns_of(writer.drain()) == (1, None)

    run(main())


def test_a_protocol_of_another_kind_can_be_drained(streams, run):
    class Protocol(streams.FlowControlMixin):
        drained = 0

        async def _drain_helper(self):
            await super()._drain_helper()
            self.drained += 1

    async def main():
        loop = asyncio.get_running_loop()
        protocol = Protocol(loop=loop)
        assert isinstance(protocol, asyncio.Protocol)
        writer = streams.StreamWriter(Transport(), protocol, None, loop)
        protocol.pause_writing()
        loop.call_soon(protocol.resume_writing)
        await writer.drain()
        assert protocol.drained == 1
        with pytest.raises(NotImplementedError):
            await writer.wait_closed()
        writer.close()

    run(main())
