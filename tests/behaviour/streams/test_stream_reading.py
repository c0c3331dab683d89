"""Reading from a stream: what there is, what is waited for, and the reader that programs change."""

import asyncio

import pytest
from streams_under_test import reader_with, turns_of


def test_what_is_there_is_read_without_a_turn(streams, run):
    async def main():
        reader = reader_with(streams, b"line\nrest12345:", eof=True)
        assert await turns_of(reader.readline()) == (0, b"line\n")
        assert await turns_of(reader.readexactly(4)) == (0, b"rest")
        assert await turns_of(reader.readuntil(b":")) == (0, b"12345:")
        assert await turns_of(reader.read()) == (0, b"")

    run(main())


def test_a_read_that_waits_goes_on_in_the_turn_after_the_bytes_came(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, loop.call_soon, reader.feed_data, b"x")
        return await turns_of(reader.readexactly(1))

    assert run(main()) == (2, b"x")


def test_any_buffer_can_be_fed(streams, run):
    async def main():
        pieces = [b"one ", bytearray(b"two "), memoryview(b"three "), [102, 111, 117, 114], b""]
        reader = reader_with(streams, *pieces)
        assert await reader.read() == b"one two three four"
        with pytest.raises(TypeError):
            reader_with(streams, "text", eof=False)

    run(main())


def test_a_fed_bytearray_may_be_changed_afterwards(streams, run):
    async def main():
        data = bytearray(b"before")
        reader = reader_with(streams, data)
        data[:] = b"AFTERWARDS"
        assert await reader.read() == b"before"

    run(main())


def test_one_reader_has_one_waiter(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        first = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0)
        for name, call in [
            ("read", lambda: reader.read(1)),
            ("readuntil", reader.readline),
            ("readexactly", lambda: reader.readexactly(1)),
            ("readuntil", lambda: reader.readuntil(b"x")),
        ]:
            with pytest.raises(
                RuntimeError,
                match=rf"^{name}\(\) called while another coroutine is already waiting "
                "for incoming data$",
            ):
                await call()
        reader.feed_data(b"x")
        assert await first == b"x"

    run(main())


@pytest.mark.parametrize(
    "read", ["readline()", "readexactly(5)", "read(5)", "read()", "readuntil(b'x')", "__anext__()"]
)
def test_a_cancelled_read_loses_nothing(streams, run, read):
    async def main():
        reader = reader_with(streams, eof=False)
        if read not in ("read(5)", "read()"):
            reader.feed_data(b"ab")
        call = eval(f"lambda: reader.{read}", {"reader": reader})
        task = asyncio.ensure_future(as_coroutine(call()))
        await asyncio.sleep(0)
        assert reader._waiter is not None
        task.cancel("enough")
        # Bytes that come between the cancellation and the task's next step stay, too.
        reader.feed_data(b"cdx\n")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert reader._waiter is None
        reader.feed_eof()
        rest = await reader.read()
        assert rest.endswith(b"cdx\n")

    run(main())


async def as_coroutine(awaitable):
    return await awaitable


def test_an_exception_ends_the_wait_and_all_reading(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        task = asyncio.ensure_future(reader.readline())
        await asyncio.sleep(0)
        error = ConnectionResetError("gone")
        reader.set_exception(error)
        with pytest.raises(ConnectionResetError) as caught:
            await task
        assert caught.value is error
        assert reader.exception() is error
        for call in (reader.readline, reader.read, reader.readuntil, lambda: reader.readexactly(1)):
            with pytest.raises(ConnectionResetError):
                await call()

    run(main())


def test_lines_one_after_another(streams, run):
    async def main():
        reader = reader_with(streams, b"a\n\nb\nrest")
        assert [line async for line in reader] == [b"a\n", b"\n", b"b\n", b"rest"]

    run(main())


def test_the_buffer_can_be_changed_by_hand(streams, run):
    async def main():
        reader = reader_with(streams, b"abc", b"def")
        assert isinstance(reader._buffer, bytearray)
        reader._buffer.extend(b"ghi")
        del reader._buffer[:1]
        assert await reader.readexactly(3) == b"bcd"
        reader._buffer = bytearray(b"other\nlines")
        assert await reader.readline() == b"other\n"
        assert reader._buffer == b"lines"
        assert await reader.read() == b"lines"

    run(main())


def test_a_waiter_put_there_by_hand_is_woken(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        reader._waiter = future = asyncio.get_running_loop().create_future()
        with pytest.raises(RuntimeError, match="already waiting"):
            await reader.read(1)
        reader.feed_data(b"x")
        assert future.done()
        assert reader._waiter is None

    run(main())


def test_a_subclass_may_replace_what_reading_goes_through(streams, run):
    calls = []

    class Reader(streams.StreamReader):
        async def _wait_for_data(self, name):
            calls.append(name)
            await super()._wait_for_data(name)

        def _wakeup_waiter(self):
            calls.append("wake")
            super()._wakeup_waiter()

        async def readuntil(self, *arguments):
            calls.append("readuntil")
            return await super().readuntil(*arguments)

    async def main():
        reader = Reader(loop=asyncio.get_running_loop())
        asyncio.get_running_loop().call_soon(reader.feed_data, b"a line\n")
        assert await reader.readline() == b"a line\n"
        assert calls == ["readuntil", "readuntil", "wake"]

    run(main())


def test_a_method_replaced_on_the_instance_is_used(streams, run):
    async def main():
        reader = reader_with(streams, b"x\n")

        async def readuntil(separator):
            return b"instead"

        reader.readuntil = readuntil
        assert await reader.readline() == b"instead"

    run(main())


def test_reads_driven_by_hand(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        with pytest.raises(StopIteration) as stop:
            reader.read(0).send(None)
        assert stop.value.value == b""
        waiting = reader.read(1)
        assert asyncio.isfuture(waiting.send(None))
        waiting.close()
        assert reader._waiter is None
        waiting = reader.read(1)
        waiting.send(None)
        with pytest.raises(KeyError):
            waiting.throw(KeyError())
        assert reader._waiter is None

    run(main())
