"""Connections that flood, tasks that spin and ten thousand idle connections starve nobody.

What is measured is not time but progress: how many rounds others make, at most, while somebody
makes one. A loop that prefers somebody has no bound for that.
"""

import asyncio
import collections
import contextlib
import itertools
import resource
import socket
import subprocess
import sys

import pytest

# Each of three that spin makes a round a turn, and the system is asked each 61 turns or sooner.
ROUNDS_MEANWHILE = 200
# Time passes while others spin, and it is time that a timer waits for: of microseconds at least.
ROUNDS_UNTIL_A_TIMER = 2500


class Contest:
    """All kinds of work at once, and how fairly they take their turns."""

    def __init__(self, loop):
        self.loop = loop
        self.rounds = collections.Counter()
        # What the counts were when somebody last made a round, and how far they went until then.
        self.seen = {}
        self.most = collections.Counter()
        self.ends = contextlib.ExitStack()

    def note(self, name):
        """Somebody has made a round."""
        self.rounds[name] += 1
        seen = self.seen.get(name, {})
        for other, count in self.rounds.items():
            gap = name, other
            self.most[gap] = max(self.most[gap], count - seen.get(other, 0))
        self.seen[name] = dict(self.rounds)

    def pair(self):
        both = socket.socketpair()
        for one in both:
            one.setblocking(False)
            self.ends.callback(one.close)
        return both

    async def connect(self, protocol, sock):
        transport, _ = await self.loop.create_connection(lambda: protocol, sock=sock)
        self.ends.callback(transport.abort)
        return transport

    def spawn(self, coroutine):
        self.ends.callback(self.loop.create_task(coroutine).cancel)

    async def flood(self):
        """Three connections on which there is always something to read."""
        for _ in range(3):
            near, far = self.pair()
            await self.connect(Flooded(self, far), near)
            with contextlib.suppress(BlockingIOError):
                while True:
                    far.send(bytes(1 << 16))

    async def protocols(self):
        """Two protocols answer each other."""
        near, far = self.pair()
        await self.connect(Answering(), far)
        (await self.connect(Answering(self, "protocols"), near)).write(b"ping")

    async def streams(self):
        """A task asks by streams."""
        near, far = self.pair()
        await self.connect(Answering(), far)
        reader, writer = await asyncio.open_connection(sock=near)
        self.ends.callback(writer.transport.abort)

        async def ask():
            while True:
                writer.write(b"ping")
                await reader.readexactly(4)
                self.note("streams")

        self.spawn(ask())

    async def sock_methods(self):
        """A task asks by `sock_sendall` and `sock_recv`."""
        near, far = self.pair()
        await self.connect(Answering(), far)

        async def ask():
            while True:
                await self.loop.sock_sendall(near, b"ping")
                await self.loop.sock_recv(near, 4)
                self.note("sock_methods")

        self.spawn(ask())

    async def spin(self):
        """Three tasks are always ready."""

        async def turn():
            while True:
                await asyncio.sleep(0)
                self.note("spin")

        for _ in range(3):
            self.spawn(turn())

    async def timers(self):
        async def wait():
            while True:
                await asyncio.sleep(1e-5)
                self.note("timers")

        self.spawn(wait())

    async def run(self, kinds, rounds=100):
        """Let these kinds of work go on until each has made some rounds."""
        with self.ends:
            for kind in kinds:
                await getattr(self, kind)()
            # Whoever was there first has a start.
            self.rounds.clear()
            self.seen.clear()
            self.most.clear()
            async with asyncio.timeout(20):
                while min(self.rounds[kind] for kind in kinds) < rounds:
                    await asyncio.sleep(0.001)
        # The transports let go of their sockets.
        await asyncio.sleep(0.001)


class Flooded(asyncio.Protocol):
    def __init__(self, contest, far):
        self.contest, self.far = contest, far

    def data_received(self, data):
        self.contest.note("flood")
        with contextlib.suppress(BlockingIOError):
            self.far.send(data)


class Answering(asyncio.Protocol):
    def __init__(self, contest=None, name=None):
        self.contest, self.name = contest, name

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.contest is not None:
            self.contest.note(self.name)
        self.transport.write(data)


KINDS = ["flood", "protocols", "streams", "sock_methods", "spin", "timers"]


def assert_fair(contest):
    for (one, other), most in contest.most.items():
        bound = ROUNDS_UNTIL_A_TIMER if one == "timers" else ROUNDS_MEANWHILE
        assert most <= bound, f"{other} made {most} rounds while {one} made one"


@pytest.mark.parametrize(
    "kinds", [*itertools.combinations(KINDS, 2), KINDS], ids=lambda kinds: " and ".join(kinds)
)
def test_nobody_has_to_wait_for_many_rounds_of_others(loop, kinds):
    contest = Contest(loop)
    loop.run_until_complete(contest.run(kinds))
    assert_fair(contest)


# Idle connections, more than one process has descriptors for both ends of.

IDLE = 10_000
# Connects to a Unix socket as often as it is told, then sends so many bytes on each connection as
# there are in each line that it reads.
OTHER_ENDS = """
import resource, socket, sys

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ends = []
for _ in range(int(sys.argv[2])):
    ends.append(socket.socket(socket.AF_UNIX))
    ends[-1].connect(sys.argv[1])
for line in sys.stdin.buffer:
    for end in ends:
        end.send(line.strip())
"""


@contextlib.contextmanager
def room_for_descriptors(count):
    """Raise the limit as far as it is allowed; return how many of them there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(soft, min(hard, count) if hard != resource.RLIM_INFINITY else count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield min(limit, count)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Idle(asyncio.Protocol):
    """A connection that says nothing for a long time."""

    open = 0
    received = 0

    def connection_made(self, transport):
        Idle.open += 1

    def data_received(self, data):
        Idle.received += len(data)

    def connection_lost(self, exception):
        Idle.open -= 1


@pytest.mark.slow
def test_ten_thousand_idle_connections_cost_nobody_a_turn(loop, tmp_path):
    Idle.open = Idle.received = 0
    path = str(tmp_path / "socket")

    async def main(count):
        server = await loop.create_unix_server(Idle, path, backlog=1000)
        command = [sys.executable, "-S", "-c", OTHER_ENDS, path, str(count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as others:
            async with asyncio.timeout(60):
                while Idle.open < count:
                    await asyncio.sleep(0.001)
                quiet, busy = Contest(loop), Contest(loop)
                await quiet.run(KINDS)
                # All of them have something to say at once, and are heard while others work.
                others.stdin.write(b"x\n")
                others.stdin.flush()
                await busy.run(KINDS)
                while Idle.received < count:
                    await asyncio.sleep(0.001)
                others.stdin.close()
                while Idle.open:
                    await asyncio.sleep(0.001)
        server.close()
        return quiet, busy

    with room_for_descriptors(IDLE + 500) as allowed:
        count = allowed - 500
        if count < 2000:
            pytest.skip("there are no descriptors for thousands of connections here")
        quiet, busy = loop.run_until_complete(main(count))
    assert_fair(quiet)
    assert_fair(busy)
    assert Idle.received == count
