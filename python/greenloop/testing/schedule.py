"""`Schedule`: which order and which fault a simulated run has, and its text, the token."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

Orders: TypeAlias = Literal["exact", "hostile"]
"""Which orders are chosen from: those that production can have, or any."""

Clock: TypeAlias = Literal["virtual", "real"]
"""The loop's clock: one that jumps when nothing can run, or the system's."""

DEFAULT_LATE: Final = 4
"""By how many turns a job may be late, if nothing else is said."""

LONGEST_TOKEN: Final = 100
"""How many characters a token has at most, where a seed can stand for its deviations."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HALF: Final = 31
_LEVELS: Final = {"exact": "x", "hostile": "h"}
_CLOCKS: Final = {"virtual": "v", "real": "r"}
_TOKEN: Final = re.compile(
    r"(?P<order>g1(?P<level>[xh])(?P<clock>[vr])(?P<late>[0-9A-Za-z]+)\.[sd][^+]*)"
    r"(\+f(?P<fault>\d{1,9}))?"
)


@dataclass(frozen=True)
class Schedule:
    """An order of the jobs of a run, and a fault that comes about in it.

    `str(schedule)` is its token, and `Schedule.parse` reads it. The token of a failure is in the
    failure's notes.
    """

    order: str
    """The order as text: the level, the clock, the lateness, and a seed or deviations."""

    orders: Orders
    """Which orders were chosen from."""

    clock: Clock
    """Which clock the loop has."""

    late: int
    """By how many turns a job may be late."""

    fault: int | None = None
    """The number of the fault, counted from 0 over all that the run offers (`with_faults`)."""

    @property
    def token(self) -> str:
        """The schedule as text."""
        return self.order if self.fault is None else f"{self.order}+f{self.fault}"

    def with_fault(self, fault: int | None) -> Schedule:
        """Return the same order with this fault in the place of its own."""
        return replace(self, fault=fault)

    @classmethod
    def by_seed(
        cls,
        seed: int,
        *,
        orders: Orders = "exact",
        clock: Clock = "virtual",
        late: int = DEFAULT_LATE,
    ) -> Schedule:
        """Return the schedule whose choices are random by a seed.

        Args:
            seed: From 0 to 2**64 - 1.
            orders: `"exact"` or `"hostile"`.
            clock: `"virtual"` or `"real"`.
            late: By how many turns a job may be late, from 0 to 2**32 - 1.

        Raises:
            ValueError: One of these is something else.
        """
        if not 0 <= seed < 2**64:
            raise ValueError(f"a seed is a number from 0 to 2**64 - 1, not {seed!r}")
        return cls._of(f"s{_written(seed)}", orders, clock, late)

    @classmethod
    def asyncios(
        cls, *, orders: Orders = "exact", clock: Clock = "virtual", late: int = DEFAULT_LATE
    ) -> Schedule:
        """Return the schedule without a deviation: the order is asyncio's.

        The arguments are those of `by_seed`.
        """
        return cls._of("d", orders, clock, late)

    @classmethod
    def parse(cls, token: str) -> Schedule:
        """Return the schedule of a token.

        Raises:
            ValueError: The text is no token. What is wrong behind the dot is noticed when the
                schedule is run.
        """
        found = _TOKEN.fullmatch(token.strip())
        if found is None:
            raise ValueError(f"{token!r} is no schedule, which looks like 'g1hv4.s2B'")
        orders: Orders = "exact" if found["level"] == "x" else "hostile"
        clock: Clock = "virtual" if found["clock"] == "v" else "real"
        fault = None if found["fault"] is None else int(found["fault"])
        return cls(found["order"], orders, clock, _read(found["late"]), fault)

    @classmethod
    def _of(cls, origin: str, orders: Orders, clock: Clock, late: int) -> Schedule:
        if orders not in get_args(Orders):
            raise ValueError(f"orders are 'exact' or 'hostile', not {orders!r}")
        if clock not in get_args(Clock):
            raise ValueError(f"a clock is 'virtual' or 'real', not {clock!r}")
        if not 0 <= late < 2**32:
            raise ValueError(f"a job may be late by 0 to 2**32 - 1 turns, not {late!r}")
        order = f"g1{_LEVELS[orders]}{_CLOCKS[clock]}{_written(late)}.{origin}"
        return cls(order, orders, clock, late)

    def __str__(self) -> str:
        """Return the token."""
        return self.token


def _written(number: int) -> str:
    text = ""
    while number >= _HALF:
        text += _DIGITS[_HALF + number % _HALF]
        number //= _HALF
    return text + _DIGITS[number]


def _read(text: str) -> int:
    digits = [_DIGITS.index(digit) % _HALF for digit in text]
    return sum(digit * _HALF**place for place, digit in enumerate(digits))
