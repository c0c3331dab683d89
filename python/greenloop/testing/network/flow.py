"""`Flow`: the bytes of a connection in one direction, which arrive in their order and late.

```text
  send ─1► in flight ─2► arrived ─3► read
              │ ▲
              4 5
              ▼ │
             held
```
1. `send`, while there is room in the window. 2. `_deliver`, when the link has taken its time.
3. The receiving socket reads, which gives back the room by `release`. 4. `_deliver` finds that a
partition is between the hosts. 5. `go_on`, when it is healed; after `patience` without that the
connection has timed out.
"""

from __future__ import annotations

import asyncio
import enum
import errno
from collections import deque
from typing import TYPE_CHECKING, Final

from greenloop.testing.network.links import PACKET, Link, patience

if TYPE_CHECKING:
    from greenloop.testing.network.stream_sockets import StreamSocket

PATIENCE: Final = patience()


class Mark(enum.Enum):
    """A packet without bytes."""

    OPEN = "ACK of the handshake"
    END = "FIN"
    RESET = "RST"
    LOST = "lost after all retransmissions"


class Flow:
    """One direction of a connection."""

    def __init__(
        self, source: StreamSocket, target: StreamSocket, link: Link | None, window: int
    ) -> None:
        """Connect two sockets.

        Args:
            source: The socket that sends.
            target: The socket that receives.
            link: The link that the bytes travel over; None stands for the machine's own memory.
            window: How many bytes may be sent that the target has not read.
        """
        self._source = source
        self._target = target
        self._link = link
        self._window = window
        self._unread = 0
        self._in_flight: deque[tuple[float, bytes | Mark]] = deque()
        self._is_over = False
        self._due: float | None = None
        self._given_up: asyncio.Handle | None = None

    @property
    def room(self) -> int:
        """How many bytes can be sent now."""
        return self._window - self._unread

    @property
    def has_room(self) -> bool:
        """Whether enough can be sent to wake a sender: as on Linux a third of the window."""
        return 3 * self.room >= self._window

    def send(self, data: memoryview) -> int:
        """Send as many bytes as there is room for, and return how many."""
        data = data[: self.room]
        size = len(data)
        self._unread += size
        if self._link is None or self._link.settings.is_plain:
            self._put(bytes(data), size)
        else:
            for start in range(0, size, PACKET):
                packet = bytes(data[start : start + PACKET])
                self._put(packet, len(packet))
        return size

    def open(self) -> None:
        """Send what ends the handshake, by which the target may be accepted."""
        self._put(Mark.OPEN, 0)

    def finish(self) -> None:
        """Send the end of the stream."""
        self._put(Mark.END, 0)

    def reset(self) -> None:
        """Send a reset, behind what was sent before."""
        self._put(Mark.RESET, 0)
        self._is_over = True

    def stop(self) -> None:
        """Drop what is in flight, and take no more."""
        self._is_over = True
        self._in_flight.clear()
        self._end_to_give_up()

    def release(self, size: int) -> None:
        """Take note that the target has read `size` bytes."""
        self._unread -= size
        self._source.look()

    def go_on(self) -> None:
        """Have all that was held travel again."""
        if self._given_up is None or self._link is None:
            return
        self._end_to_give_up()
        now = self._source.face.time()
        in_flight, self._in_flight = self._in_flight, deque()
        for arrival, what in in_flight:
            if arrival <= now:
                # It is sent again.
                size = len(what) if isinstance(what, bytes) else 0
                arrival = self._link.arrival(now, size)
            self._in_flight.append((arrival, what))
        self._wait()

    def _put(self, what: bytes | Mark, size: int) -> None:
        if self._is_over:
            return
        link, now = self._link, self._source.face.time()
        arrival = now
        if link is not None:
            arrival = link.arrival(now, size)
            late, arrives = link.retransmission()
            arrival += late
            if not arrives:
                what = Mark.LOST
        # A packet that overtakes the one before it waits for that.
        self._in_flight.append((arrival, what))
        self._wait()

    def _wait(self) -> None:
        """Have `_deliver` called when the first is due, unless it will be or is held."""
        if self._due is not None or self._given_up is not None or not self._in_flight:
            return
        self._due = self._in_flight[0][0]
        self._target.face.at(self._due, self._deliver)

    def _deliver(self) -> None:
        due, self._due = self._due, None
        if not self._in_flight or due is None:
            return
        if self._link is not None and self._link.is_cut:
            if self._given_up is None:
                face = self._source.face
                self._given_up = face.later(PATIENCE, self._time_out)
                face.network.hold(self)
            return
        # A clock may be coarser than the numbers are.
        now = max(due, self._target.face.time())
        while self._in_flight and self._in_flight[0][0] <= now:
            _, what = self._in_flight.popleft()
            if what is Mark.LOST:
                self._time_out()
            elif what is Mark.OPEN:
                self._target.open_arrived()
            elif what is Mark.END:
                self._target.end_arrived()
            elif what is Mark.RESET:
                self._target.reset_arrived()
            elif isinstance(what, bytes):
                self._target.data_arrived(what)
        self._wait()

    def _time_out(self) -> None:
        self._given_up = None
        self.stop()
        self._source.break_off(errno.ETIMEDOUT)

    def _end_to_give_up(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None
