"""Testing a program in every order of its tasks, in virtual time, and again by a token.

asyncio leaves open in which order timers with the same deadline, input and the results of threads
come, and a test sees one order of them. Here the loop of production runs under a schedule: `run`
runs a program once, `explore` in many orders, and a `Finding` says which order failed, in as few
deviations from asyncio's order as could be found.

There are two levels. *Exact* orders are only those that production can have: what arrives from
outside of the loop, and timers with the same deadline, in any order and late. In *hostile* orders
any job that is ready may be late.

The virtual clock stands still while anything can run, and jumps to the next deadline when nothing
can and nothing outside of the loop is under way: no byte of a connection of the program, no job of
an executor, no child process.

A `Network` in memory has the connections of a program in virtual time, too, and lets them fail.
"""

from greenloop.testing.blocking import (
    Sequencer,
    assert_blocked,
    is_blocked,
    wait_all_tasks_blocked,
    wait_until_blocked,
)
from greenloop.testing.errors import Diverged, EndlessRun, Leaked
from greenloop.testing.exploring import Exploration, Finding, explore
from greenloop.testing.faults import Disturbance, with_faults
from greenloop.testing.leaks import no_leaks
from greenloop.testing.network import Host, Network
from greenloop.testing.schedule import Clock, Orders, Schedule
from greenloop.testing.simulation import Account, end_simulation, run, simulate
from greenloop.testing.virtual_clock import VirtualClock

__all__ = [
    "Account",
    "Clock",
    "Disturbance",
    "Diverged",
    "EndlessRun",
    "Exploration",
    "Finding",
    "Host",
    "Leaked",
    "Network",
    "Orders",
    "Schedule",
    "Sequencer",
    "VirtualClock",
    "assert_blocked",
    "end_simulation",
    "explore",
    "is_blocked",
    "no_leaks",
    "run",
    "simulate",
    "wait_all_tasks_blocked",
    "wait_until_blocked",
    "with_faults",
]
