"""One latency measurement: this process becomes a contestant, keeps its loop busy and times delays.

    python -m benches.latency_probe CONTESTANT|machine [--seconds S] [--spinners N]

Tasks spin on `sleep(0)`, so the loop never idles: a loop that polls the system rarely in order to
be fast must still be punctual. Two delays are taken meanwhile: from a message's way into a socket,
by another thread, to the reader callback; and from a 10 ms timer's deadline to its callback.

Each delay is taken twice. *Late* is what the clock on the wall says, and contains the moments in
which the system ran other processes. *Busy* is the CPU time that the loop's thread spent between
the event and its callback: what the loop did first instead, on however crowded a machine. Linux
only, because one thread reads another's CPU clock.

`machine` is no loop at all: a plain Python loop that asks the socket and the clock without a pause.
What it shows is what the machine takes from everybody, so the other rows are read against it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any

from .contestants import CONTESTANTS

TIMER_SECONDS = 0.010
TIMER_NANOSECONDS = round(TIMER_SECONDS * 1e9)
TIMERS = 10
"""Timer chains that run side by side, for enough samples of the 99th percentile."""
MACHINE = "machine"

_STAMP = struct.Struct("qq")
"""Wall and the loop thread's CPU nanoseconds at the moment of sending."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.latency_probe")
    parser.add_argument("contestant", choices=[MACHINE, *CONTESTANTS])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--spinners", type=int, default=1)
    options = parser.parse_args()
    result: dict[str, Any]
    try:
        if options.contestant == MACHINE:
            result = _probe_machine(options.seconds)
        else:
            loop_factory = CONTESTANTS[options.contestant].enter()
            with asyncio.Runner(loop_factory=loop_factory, debug=False) as runner:
                result = runner.run(_probe(options.seconds, options.spinners))
    except Exception as error:
        # Named in the result: the error output may end in warnings of the dying interpreter.
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))
    return 1 if "error" in result else 0


class Delays:
    """The delays of one kind of event, in nanoseconds."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._late: list[int] = []
        self._busy: list[int] = []

    def add(self, wall_stamp: int, cpu_stamp: int) -> None:
        """An event of that moment has reached its callback now."""
        self._busy.append(time.thread_time_ns() - cpu_stamp)
        self._late.append(time.perf_counter_ns() - wall_stamp)

    def summary(self) -> dict[str, float]:
        """Microseconds. The least lateness of timers is negative on a loop that rings early."""
        if not self._late:
            raise RuntimeError(f"no {self._kind} event arrived")
        figures = {f"{self._kind}_samples": float(len(self._late))}
        for name, delays in (("late", sorted(self._late)), ("busy", sorted(self._busy))):
            for label, percent in (("min", 0), ("p50", 50), ("p99", 99), ("max", 100)):
                at = (len(delays) - 1) * percent // 100
                figures[f"{self._kind}_{name}_{label}_us"] = delays[at] / 1000
        return figures


class SocketEvents:
    """A thread that sends stamps at random moments, and the end that receives them."""

    def __init__(self) -> None:
        self.delays = Delays("socket")
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._ended = threading.Event()
        self._cpu_clock = time.pthread_getcpuclockid(threading.get_ident())
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> SocketEvents:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.receiver.close()
        self._sender.close()

    def receive(self) -> None:
        for stamp in _STAMP.iter_unpack(self.receiver.recv(_STAMP.size * 256)):
            self.delays.add(*stamp)

    def _send(self) -> None:
        # The stamp is taken with the interpreter lock held and `send` lets go of it, so the delay
        # does not contain this thread's wait for the lock.
        pause = random.Random(1)
        while not self._ended.is_set():
            time.sleep(pause.uniform(0.001, 0.003))
            cpu = time.clock_gettime_ns(self._cpu_clock)
            self._sender.send(_STAMP.pack(time.perf_counter_ns(), cpu))


class TimerEvents:
    """Chains of 10 ms timers: delays are equal, so deadlines pass in the order of their setting.

    What the CPU clock said when a deadline passed is known only if somebody looked: whoever spins
    calls `watch` on every turn.
    """

    def __init__(self) -> None:
        self.delays = Delays("timer")
        self.ended = False
        self._awaited: deque[int] = deque()
        self._cpu_when_passed: dict[int, int] = {}

    def set(self) -> int:
        """Notes a timer that is set now; returns its deadline on the wall clock."""
        deadline = time.perf_counter_ns() + TIMER_NANOSECONDS
        self._awaited.append(deadline)
        return deadline

    def watch(self) -> None:
        now = time.perf_counter_ns()
        while self._awaited and self._awaited[0] <= now:
            self._cpu_when_passed[self._awaited.popleft()] = time.thread_time_ns()

    def ring(self, deadline: int) -> None:
        # Rung before anybody looked (0 busy), or early, and then still awaited.
        if deadline not in self._cpu_when_passed:
            self._awaited.remove(deadline)
        self.delays.add(deadline, self._cpu_when_passed.pop(deadline, time.thread_time_ns()))

    def run_chain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sets a timer of the loop whose callback sets the next."""
        deadline = self.set()

        def ring() -> None:
            self.ring(deadline)
            if not self.ended:
                self.run_chain(loop)

        loop.call_later(TIMER_SECONDS, ring)


async def _probe(seconds: float, spinners: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    timers = TimerEvents()
    spinning = [asyncio.create_task(_spin(timers)) for _ in range(spinners)]
    with SocketEvents() as sockets:
        descriptor = sockets.receiver.fileno()
        loop.add_reader(descriptor, sockets.receive)
        for number in range(TIMERS):
            loop.call_later(TIMER_SECONDS * number / TIMERS, timers.run_chain, loop)
        await asyncio.sleep(seconds)
        timers.ended = True
        turns = sum(await asyncio.gather(*spinning))
        loop.remove_reader(descriptor)
    return _result(turns / spinners / seconds, sockets, timers)


async def _spin(timers: TimerEvents) -> int:
    turns = 0
    while not timers.ended:
        timers.watch()
        await asyncio.sleep(0)
        turns += 1
    return turns


def _probe_machine(seconds: float) -> dict[str, float]:
    timers = TimerEvents()
    turns = 0
    start = time.perf_counter_ns()
    end = start + seconds * 1e9
    chains = [start + TIMER_NANOSECONDS * number // TIMERS for number in range(TIMERS)]
    waiting: deque[int] = deque()
    with SocketEvents() as sockets:
        while (now := time.perf_counter_ns()) < end:
            turns += 1
            timers.watch()
            while chains and chains[0] <= now:
                chains.pop(0)
                waiting.append(timers.set())
            while waiting and waiting[0] <= now:
                timers.ring(waiting.popleft())
                waiting.append(timers.set())
            try:
                sockets.receive()
            except BlockingIOError:
                continue
    return _result(turns / seconds, sockets, timers)


def _result(
    turns_per_second: float, sockets: SocketEvents, timers: TimerEvents
) -> dict[str, float]:
    return {
        "turns_per_ms": turns_per_second / 1000,
        **sockets.delays.summary(),
        **timers.delays.summary(),
    }


if __name__ == "__main__":
    sys.exit(main())
