"""Transports and protocols: the same calls on the system's network and in memory."""

import asyncio
import gc
import logging
import warnings

import pytest

from connections import BufferedRecorder, Recorder, raising

HOST = "127.0.0.1"

# More than any system takes before somebody reads it.
MEGABYTES = 10_000_000


def told(recorder):
    """What a protocol was told, with bytes that came one after another as one."""
    calls = []
    for name, *rest in recorder.calls:
        if name == "updated":
            name = "data"
        if name == "get_buffer":
            continue
        if name == "data" and calls and calls[-1][0] == "data":
            calls[-1] = ("data", calls[-1][1] + rest[0])
        elif name == "lost":
            error = rest[0]
            calls.append((name, type(error).__name__ if error is not None else None))
        else:
            calls.append((name, *rest))
    return calls


class Counter(Recorder):
    """A protocol that keeps no bytes."""

    received = 0

    def data_received(self, data):
        self.received += len(data)


class Pair:
    """A client and a server, both of which write down what they are told."""

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.reports = []
        loop.set_exception_handler(lambda _, context: self.reports.append(context))
        self.server = await loop.create_server(lambda: self.far, HOST, 0)
        port = self.server.sockets[0].getsockname()[1]
        transport, protocol = await loop.create_connection(lambda: self.near, HOST, port)
        assert protocol is self.near
        assert transport is self.near.transport
        await self.until(lambda: self.far.transport is not None)
        return self

    def __init__(self, near=None, far=None):
        self.near = near or Recorder()
        self.far = far or Recorder()

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_lost(self, *protocols):
        await self.until(lambda: all("lost" in each.names for each in protocols))

    async def __aexit__(self, *_):
        for each in (self.near, self.far):
            if "lost" not in each.names:
                each.transport.abort()
        await self.until_lost(self.near, self.far)
        self.server.close()
        await self.server.wait_closed()


def test_bytes_and_the_end_of_a_stream(anywhere):
    async def main():
        async with Pair() as pair:
            pair.near.transport.write(b"one")
            pair.near.transport.write(b"")
            pair.near.transport.write(memoryview(b"two"))
            pair.near.transport.close()
            assert pair.near.transport.is_closing()
            await pair.until_lost(pair.near, pair.far)
        return told(pair.near), told(pair.far)

    # Without an answer to the end, the far transport closes itself.
    near = [("made",), ("lost", None)]
    far = [("made",), ("data", b"onetwo"), ("eof",), ("lost", None)]
    assert anywhere(main) == (near, far)


def test_a_protocol_may_keep_its_connection_after_the_end(anywhere):
    async def main():
        far = Recorder(eof=lambda recorder: True)
        async with Pair(far=far) as pair:
            pair.near.transport.write(b"question")
            pair.near.transport.write_eof()
            pair.near.transport.write_eof()
            await pair.until(lambda: "eof" in far.names)
            await asyncio.sleep(0.01)
            assert not far.transport.is_closing()
            far.transport.write(b"answer")
            far.transport.close()
            await pair.until_lost(pair.near, far)
        return told(pair.near), told(far)

    near = [("made",), ("data", b"answer"), ("eof",), ("lost", None)]
    far = [("made",), ("data", b"question"), ("eof",), ("lost", None)]
    assert anywhere(main) == (near, far)


@pytest.mark.slow
def test_closing_flushes_and_aborting_does_not(anywhere_unspoilt):
    async def main():
        received = []
        for end in ("close", "abort"):
            async with Pair(far=Counter()) as pair:
                pair.far.transport.pause_reading()
                pair.near.transport.write(b"x" * MEGABYTES)
                assert pair.near.transport.get_write_buffer_size() > 0
                getattr(pair.near.transport, end)()
                await asyncio.sleep(0.05)
                pair.far.transport.resume_reading()
                await pair.until_lost(pair.near, pair.far)
                assert told(pair.near)[-1] == ("lost", None)
                received.append(pair.far.received)
        return received[0] == MEGABYTES, 0 < received[1] < MEGABYTES

    assert anywhere_unspoilt(main) == (True, True)


@pytest.mark.slow
def test_the_limits_of_the_write_buffer(anywhere_unspoilt):
    async def main():
        async with Pair(far=Counter()) as pair:
            transport = pair.near.transport
            limits = [transport.get_write_buffer_limits()]
            transport.set_write_buffer_limits(high=1000)
            limits.append(transport.get_write_buffer_limits())
            transport.set_write_buffer_limits(low=10, high=100)
            limits.append(transport.get_write_buffer_limits())
            with pytest.raises(ValueError, match="must be >="):
                transport.set_write_buffer_limits(low=10, high=1)
            pair.far.transport.pause_reading()
            assert not pair.far.transport.is_reading()
            transport.write(b"x" * MEGABYTES)
            await asyncio.sleep(0.05)
            assert pair.near.names == ["made", "pause"]
            assert pair.far.names == ["made"]
            pair.far.transport.resume_reading()
            assert pair.far.transport.is_reading()
            await pair.until(lambda: "resume" in pair.near.names)
            assert transport.get_write_buffer_size() <= 10
            await pair.until(lambda: pair.far.received == MEGABYTES)
            return limits, pair.near.names

    limits = [(16384, 65536), (250, 1000), (10, 100)]
    assert anywhere_unspoilt(main) == (limits, ["made", "pause", "resume"])


def test_a_protocol_with_a_buffer_of_its_own(anywhere):
    async def main():
        async with Pair(far=BufferedRecorder()) as pair:
            pair.near.transport.write(b"longer than eight bytes")
            pair.near.transport.close()
            await pair.until_lost(pair.near, pair.far)
            assert pair.far.names.count("updated") >= 3
            return told(pair.far)

    expected = [("made",), ("data", b"longer than eight bytes"), ("eof",), ("lost", None)]
    assert anywhere(main) == expected


FATAL = "Fatal error: protocol.%s() call failed."


@pytest.mark.parametrize(
    ("kind", "callback", "message"),
    [
        (Recorder, "data", FATAL % "data_received"),
        (Recorder, "eof", FATAL % "eof_received"),
        (Recorder, "lost", None),
        (BufferedRecorder, "get_buffer", FATAL % "get_buffer"),
        (BufferedRecorder, "updated", FATAL % "buffer_updated"),
        (BufferedRecorder, "eof", FATAL % "eof_received"),
    ],
)
def test_a_callback_that_raises(anywhere, kind, callback, message):
    async def main():
        far = kind(**{callback: raising(ValueError("of the protocol"))})
        async with Pair(far=far) as pair:
            pair.near.transport.write(b"data")
            pair.near.transport.close()
            await pair.until_lost(pair.near, far)
            await asyncio.sleep(0.01)
            (report,) = pair.reports
            assert isinstance(report["exception"], ValueError)
            if message:
                assert report["transport"] is far.transport
                assert report["protocol"] is far
                assert report["message"] == message
        return far.names.count("lost"), told(far)[-1]

    lost = ("lost", None if message is None else "ValueError")
    assert anywhere(main) == (1, lost)


def test_writing_to_a_lost_connection_is_warned_of(anywhere, caplog):
    async def main():
        async with Pair() as pair:
            pair.far.transport.abort()
            await pair.until_lost(pair.near, pair.far)
            with caplog.at_level(logging.WARNING, "asyncio"):
                for _ in range(7):
                    pair.near.transport.write(b"x")
        return [record.getMessage() for record in caplog.records]

    caplog.clear()
    # The first ones are forgiven: five, of which closing is one.
    warned = anywhere(main)
    assert set(warned) == {"socket.send() raised exception."}
    assert len(warned) == 3


@pytest.mark.slow
def test_writing_to_a_closed_peer_ends_in_an_error(anywhere):
    async def main():
        async with Pair(near=Recorder(eof=lambda recorder: True)) as pair:
            pair.far.transport.close()
            await pair.until(lambda: "eof" in pair.near.names)
            # The first is answered by a reset, and the next one finds that out.
            for _ in range(10):
                pair.near.transport.write(b"x")
                await asyncio.sleep(0.05)
            await pair.until_lost(pair.near)
        return told(pair.near)

    name = "BrokenPipeError"
    assert anywhere(main) == [("made",), ("eof",), ("lost", name)]


@pytest.mark.parametrize("wrong", ["text", 1, None])
def test_only_bytes_are_written(anywhere, wrong):
    async def main():
        async with Pair() as pair:
            with pytest.raises(TypeError, match="data argument must be a bytes"):
                pair.near.transport.write(wrong)

    anywhere(main)


def test_another_protocol_takes_over(anywhere):
    async def main():
        async with Pair() as pair:
            second = Recorder()
            pair.near.transport.write(b"first")
            await pair.until(lambda: len(told(pair.far)[-1][-1]) == 5)
            assert pair.far.transport.get_protocol() is pair.far
            second.transport = pair.far.transport
            pair.far.transport.set_protocol(second)
            pair.far.calls.append(("lost", None))
            pair.near.transport.write(b"second")
            pair.near.transport.close()
            await pair.until_lost(second)
        return told(pair.far), told(second)

    first = [("made",), ("data", b"first"), ("lost", None)]
    assert anywhere(main) == (first, [("data", b"second"), ("eof",), ("lost", None)])


def test_nothing_arrives_within_a_write(anywhere):
    async def main():
        async with Pair() as pair:
            pair.near.transport.write(b"x")
            return told(pair.far)

    assert anywhere(main) == [("made",)]


def test_a_transport_that_is_left_open_is_warned_of(anywhere):
    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        await loop.create_connection(asyncio.Protocol, HOST, port)
        await asyncio.sleep(0.1)

    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anywhere(main)
        gc.collect()
    texts = [str(each.message) for each in caught if each.category is ResourceWarning]
    assert sum("unclosed transport" in text for text in texts) == 2, texts


def test_what_is_closed_is_not_warned_of(anywhere):
    async def main():
        async with Pair():
            pass

    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anywhere(main)
        gc.collect()
    assert [str(each.message) for each in caught] == []
