"""Subprocesses: what they inherit and leave, and what becomes of who waits for them."""

import asyncio
import gc
import os
import signal
import subprocess
import sys

import pytest

import greenloop
from descriptors import open_descriptors

# What a forked copy of this process would do; a program that is started does not.
HOOKS = """
import asyncio, os, sys
{imports}

for name in ("before", "after_in_parent", "after_in_child"):
    os.register_at_fork(**{{name: lambda name=name: os.write(1, name.encode())}})

async def main():
    process = await asyncio.create_subprocess_exec({arguments})
    return await process.wait()

loop = {factory}()
print(loop.run_until_complete(main()))
loop.close()
"""


@pytest.mark.parametrize(
    "arguments",
    ["'/bin/true'", "'/bin/true', start_new_session=True", "'/bin/true', close_fds=False"],
)
def test_hooks_of_fork_are_not_run_for_a_subprocess(loop_factory, arguments):
    ours = loop_factory is greenloop.new_event_loop
    program = HOOKS.format(
        imports="import greenloop" if ours else "",
        factory="greenloop.new_event_loop" if ours else "asyncio.SelectorEventLoop",
        arguments=arguments,
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (result.stdout, result.stderr) == ("0\n", "")


def descriptors():
    gc.collect()
    return open_descriptors()


def run_and_count_descriptors(loop, main):
    loop.run_until_complete(asyncio.sleep(0))
    before = descriptors()

    async def bounded():
        async with asyncio.timeout(20):
            await main()
            while descriptors() > before:
                await asyncio.sleep(0.001)

    loop.run_until_complete(bounded())
    # No child is left, not even a dead one.
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def cat():
    return await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("wait", ["wait", "communicate"])
def test_a_wait_for_a_process_can_be_cancelled_and_the_process_ended(loop, wait):
    async def main():
        process = await cat()
        process.stdin.write(b"text")
        waiting = asyncio.ensure_future(process.wait() if wait == "wait" else process.communicate())
        if wait == "communicate":
            # It would close the input, and the process would end.
            waiting.cancel()
        else:
            assert await process.stdout.readexactly(4) == b"text"
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert process.returncode is None
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        process._transport.close()

    run_and_count_descriptors(loop, main)


def test_a_process_may_be_killed_when_it_is_gone_already(loop):
    async def main():
        for _ in range(5):
            process = await asyncio.create_subprocess_exec("/bin/true")
            for _ in range(3):
                # It is gone, or it is not: who kills it need not know.
                try:
                    process.kill()
                except ProcessLookupError:
                    pass
            # 255 stands for "somebody else has asked the system", which the killer may have.
            assert await process.wait() in (0, -signal.SIGKILL, 255)
            if sys.version_info < (3, 14):
                with pytest.raises(ProcessLookupError):
                    process.terminate()

    run_and_count_descriptors(loop, main)


def test_a_program_that_is_not_there_leaves_nothing(loop):
    async def main():
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec(
                "/no/such/program", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )

    run_and_count_descriptors(loop, main)


def test_a_process_that_reads_nothing_holds_up_the_writer(loop):
    async def main():
        process = await asyncio.create_subprocess_exec(
            "/bin/sleep", "100", stdin=asyncio.subprocess.PIPE
        )
        process.stdin.write(bytes(1 << 20))
        draining = asyncio.ensure_future(process.stdin.drain())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not draining.done()
        process.terminate()
        # The waiter is notified that nobody will read it.
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            await draining
        assert await process.wait() == -signal.SIGTERM

    run_and_count_descriptors(loop, main)


def test_the_streams_of_a_process_are_greenloops_where_its_functions_are_called():
    async def main():
        process = await greenloop.create_subprocess_exec(
            "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=10
        )
        assert type(process.stdout) is greenloop.StreamReader
        assert type(process.stdin) is greenloop.StreamWriter
        process.stdin.write(b"a line that is longer than the limit\n")
        with pytest.raises(ValueError, match="limit"):
            await process.stdout.readline()
        assert await process.communicate(b"more") == (b"more", None)
        shell = await greenloop.create_subprocess_shell("printf x", stdout=subprocess.PIPE)
        assert type(shell.stdout) is greenloop.StreamReader
        assert await shell.communicate() == (b"x", None)
        assert (process.returncode, shell.returncode) == (0, 0)

    for runner in (greenloop.run, asyncio.run):
        runner(main())
