"""`Link`: how long a packet takes from one host to another, and whether it arrives.

Each direction between two hosts is a link. All connections and datagrams that go there share its
bandwidth. The times of retransmission are Linux's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from greenloop.testing.network.chance import Chance

PACKET: Final = 1460
"""The most bytes in a packet of TCP: those of Ethernet without the headers."""

FIRST_RETRANSMISSION: Final = 0.2
"""Seconds until a lost packet is sent again (`TCP_RTO_MIN`); each further time takes twice."""

LONGEST_RETRANSMISSION: Final = 120.0
"""The most seconds between two retransmissions (`TCP_RTO_MAX`)."""

RETRANSMISSIONS: Final = 15
"""After how many retransmissions a connection is given up (`net.ipv4.tcp_retries2`)."""


@dataclass(frozen=True)
class LinkSettings:
    """The settings of a link."""

    latency: float = 0.0
    """Seconds that each packet takes."""

    jitter: float = 0.0
    """Up to how many seconds a packet may take in addition, by chance."""

    loss: float = 0.0
    """The probability that a packet is lost, from 0.0 to 1.0."""

    bandwidth: float | None = None
    """Bytes a second in each direction; None stands for any number."""

    duplicates: float = 0.0
    """The probability that a datagram comes twice, from 0.0 to 1.0."""

    def __post_init__(self) -> None:
        """Raise ValueError for what no link can do."""
        for name in ("latency", "jitter"):
            seconds = getattr(self, name)
            if not 0 <= seconds < float("inf"):
                raise ValueError(f"{name} is a number of seconds from 0, not {seconds!r}")
        for name in ("loss", "duplicates"):
            probability = getattr(self, name)
            if not 0 <= probability <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1, not {probability!r}")
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise ValueError(f"bandwidth is a number of bytes a second, not {self.bandwidth!r}")

    @property
    def is_plain(self) -> bool:
        """Whether it makes no difference in how many packets bytes travel."""
        return not self.jitter and not self.loss and self.bandwidth is None


class Link:
    """One direction between two hosts."""

    def __init__(self, settings: LinkSettings, chance: Chance) -> None:
        """Open the link."""
        self.settings = settings
        self.is_cut = False
        """Whether a partition is between the hosts."""
        self._chance = chance
        # When all that was sent before has left the sender, in the loop's time.
        self._free_at = 0.0

    def arrival(self, now: float, size: int) -> float:
        """Send a packet of `size` bytes, and return when it arrives if it is not lost."""
        settings = self.settings
        left_at = now
        if settings.bandwidth is not None:
            left_at = self._free_at = max(now, self._free_at) + size / settings.bandwidth
        return left_at + self.delay()

    def delay(self) -> float:
        """Return how many seconds a packet without data takes."""
        settings = self.settings
        if not settings.jitter:
            return settings.latency
        return settings.latency + settings.jitter * self._chance.draw()

    def is_lost(self) -> bool:
        """Tell whether the next packet is lost by chance."""
        return bool(self.settings.loss) and self._chance.draw() < self.settings.loss

    def is_duplicated(self) -> bool:
        """Tell whether the next datagram comes twice."""
        duplicates = self.settings.duplicates
        return bool(duplicates) and self._chance.draw() < duplicates

    def retransmission(self) -> tuple[float, bool]:
        """Return how late a packet of TCP is by its losses, in seconds, and whether it arrives."""
        late, pause = 0.0, FIRST_RETRANSMISSION
        for _ in range(RETRANSMISSIONS + 1):
            if not self.is_lost():
                return late, True
            late += pause
            pause = min(2 * pause, LONGEST_RETRANSMISSION)
        return late, False


def patience() -> float:
    """Return after how many seconds a connection without any acknowledgement is given up."""
    pauses = (FIRST_RETRANSMISSION * (1 << number) for number in range(RETRANSMISSIONS + 1))
    return sum(min(pause, LONGEST_RETRANSMISSION) for pause in pauses)
