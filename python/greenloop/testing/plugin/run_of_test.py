"""`Run`: a run of a test of pytest that has ended, in one of its orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from greenloop.testing.schedule import Schedule
from greenloop.testing.simulation import Account


@dataclass(frozen=True)
class Run:
    """A run of a test that has ended."""

    reports: list[pytest.TestReport]
    """Those of its phases."""

    first_exception: BaseException | None
    """What was raised first, also if that means that the test is skipped."""

    accounts: list[Account]
    """What its loops did: those that had anything to choose or offered faults, or all if none."""

    schedule: Schedule | None
    """What gives the same run again, if it made a loop."""

    @property
    def has_others(self) -> bool:
        """Whether there was anything to choose, or a fault."""
        return any(has_others(each) for each in self.accounts)

    @property
    def is_of_one_loop(self) -> bool:
        """Whether one loop only had anything to choose: deviations say which order it was."""
        return self.has_others and len(self.accounts) == 1

    @property
    def is_last(self) -> bool:
        """Whether the test is run in no other order, since it did not pass in this one."""
        # A test that is to fail in some order (`xfail(strict=True)`) may fail in the next one.
        has_raised = self.first_exception is not None
        return has_raised or any(each.skipped for each in self.reports)

    @property
    def has_failed(self) -> bool:
        """Whether a phase is reported as a failure."""
        return any(each.failed for each in self.reports)

    @property
    def exception(self) -> BaseException | None:
        """The failure, if deviations say how to get it again."""
        return self.first_exception if self.has_failed and self.is_of_one_loop else None

    @property
    def account(self) -> Account:
        """What the one loop did; of several loops, what they offer together.

        A fault comes about in each loop that offers one with its number.
        """
        first = self.accounts[0]
        if len(self.accounts) == 1:
            return first
        faults = max(each.faults for each in self.accounts)
        points = sum(each.points for each in self.accounts)
        return replace(first, points=points, faults=faults, limits=())

    @property
    def difference(self) -> str | None:
        """How a run of a token was seen to be another one, or None if it was not."""
        differences = [each.difference for each in self.accounts]
        return None if None in differences else next(iter(differences), None)


def has_others(account: Account) -> bool:
    """Tell whether a loop had anything to choose, or offered a fault."""
    return bool(account.points or account.faults)
