"""`ThreadQueue`: a queue between the tasks of one event loop and ordinary threads.

Tasks `await` its `put`, `get` and `join`; threads call `sync_put`, `sync_get` and `sync_join`,
which block, with an optional timeout. All waiters, tasks and threads, wait in one line.

A waiter is woken with a promise: of one item that is there, or of room for one. Others cannot take
a promised item or room, so no waiter is overtaken. A waiter that leaves without it, because of a
cancellation or a timeout, returns the promise, for the next in line. The items themselves stay in
the queue until they are taken, so none is lost with a waiter.
"""

import asyncio
import collections
import queue
import sys
import threading
from collections import OrderedDict
from typing import ClassVar, Generic, TypeAlias, TypeVar

_T = TypeVar("_T")


# Tracebacks call the exceptions by the names under which they are found, and pickle finds them.


class _Empty(asyncio.QueueEmpty, queue.Empty):
    """There is nothing to get now: both asyncio's exception and the one that threads know."""

    __qualname__ = "ThreadQueue.Empty"


class _Full(asyncio.QueueFull, queue.Full):
    """There is no room now: both asyncio's exception and the one that threads know."""

    __qualname__ = "ThreadQueue.Full"


if sys.version_info >= (3, 13):

    class _ShutDown(asyncio.QueueShutDown, queue.ShutDown):
        """The queue was shut down: both asyncio's exception and the one that threads know."""

        __qualname__ = "ThreadQueue.ShutDown"

else:

    class _ShutDown(Exception):  # noqa: N818 - asyncio's name in later versions
        """The queue was shut down."""

        __qualname__ = "ThreadQueue.ShutDown"


class _TaskWaiter:
    """A task that waits. `promised` says that it was woken with a promise."""

    __slots__ = ("future", "promised")

    def __init__(self, event_loop: asyncio.AbstractEventLoop) -> None:
        self.future = event_loop.create_future()
        self.promised = False

    def wake(self) -> bool:
        """Wake the task, from any thread. False if it leaves anyway, or will never run again."""
        if self.future.done():
            return False
        event_loop = self.future.get_loop()
        if asyncio._get_running_loop() is event_loop:
            self.future.set_result(None)
            return True
        try:
            event_loop.call_soon_threadsafe(self._finish)
        except RuntimeError:  # The loop is closed.
            return False
        return True

    def _finish(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class _ThreadWaiter:
    """A thread that waits. `promised` says that it was woken with a promise."""

    __slots__ = ("_asleep", "promised")

    def __init__(self) -> None:
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self.promised = False

    def wait(self, timeout: float | None) -> bool:
        """Block until woken. False if the timeout, in seconds, came first."""
        if timeout is None:
            return self._asleep.acquire()
        return self._asleep.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def wake(self) -> bool:
        """Wake the thread."""
        self._asleep.release()
        return True


_Waiter: TypeAlias = _TaskWaiter | _ThreadWaiter
# In the order they came; an OrderedDict drops any of them in constant time.
_Line: TypeAlias = OrderedDict[_Waiter, None]


class ThreadQueue(Generic[_T]):
    """A queue, first in, first out, between the tasks of one event loop and ordinary threads.

    It may be made anywhere. The first loop that awaits one of its methods is its loop from then on;
    on another one `put`, `get` and `join` raise RuntimeError. All other methods may be called from
    any thread, but `sync_put`, `sync_get` and `sync_join`, which block, not from one that runs an
    event loop.

    With a `maxsize` above 0 it takes no more than that many items at once.
    """

    Empty: ClassVar[type[_Empty]] = _Empty
    """Raised by `get_nowait` and `sync_get`: an asyncio.QueueEmpty and a queue.Empty."""
    Full: ClassVar[type[_Full]] = _Full
    """Raised by `put_nowait` and `sync_put`: an asyncio.QueueFull and a queue.Full."""
    ShutDown: ClassVar[type[_ShutDown]] = _ShutDown
    """Raised after `shutdown`: from 3.13 on an asyncio.QueueShutDown and a queue.ShutDown."""

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._loop: asyncio.AbstractEventLoop | None = None
        # Guards everything below. Reentrant, because a finaliser or a signal handler that uses the
        # queue may run while it is held.
        self._lock = threading.RLock()
        self._items: collections.deque[_T] = collections.deque()
        self._promised_items = 0
        self._promised_room = 0
        self._unfinished = 0
        self._shut_down = False
        self._getters: _Line = OrderedDict()
        self._putters: _Line = OrderedDict()
        self._joiners: _Line = OrderedDict()

    def __repr__(self) -> str:
        words = [type(self).__name__, f"at {id(self):#x}", f"maxsize={self._maxsize}"]
        words.append(f"qsize={len(self._items)}")
        if self._unfinished:
            words.append(f"tasks={self._unfinished}")
        if self._shut_down:
            words.append("shutdown")
        return f"<{' '.join(words)}>"

    @property
    def maxsize(self) -> int:
        """How many items the queue takes; 0 or less is any number."""
        return self._maxsize

    def qsize(self) -> int:
        """Return the number of items, those included that are promised to a waiter."""
        return len(self._items)

    def empty(self) -> bool:
        """Return whether there is no item that `get_nowait` could take."""
        with self._lock:
            return not self._has_item()

    def full(self) -> bool:
        """Return whether there is no room that `put_nowait` could use."""
        with self._lock:
            return not self._has_room()

    # For tasks.

    async def put(self, item: _T) -> None:
        """Put an item in; wait as long as there is no room."""
        event_loop = self._bound_loop()
        waiter = None
        while True:
            with self._lock:
                if self._may_put(waiter):
                    self._put(item)
                    return
                waiter = _TaskWaiter(event_loop)
                self._putters[waiter] = None
            try:
                await waiter.future
            except BaseException:
                self._leave(self._putters, waiter)
                raise

    async def get(self) -> _T:
        """Take an item out; wait as long as there is none."""
        event_loop = self._bound_loop()
        waiter = None
        while True:
            with self._lock:
                if self._may_get(waiter):
                    return self._get()
                waiter = _TaskWaiter(event_loop)
                self._getters[waiter] = None
            try:
                await waiter.future
            except BaseException:
                self._leave(self._getters, waiter)
                raise

    async def join(self) -> None:
        """Wait until `task_done` was called for each item that was put in."""
        event_loop = self._bound_loop()
        with self._lock:
            if not self._unfinished:
                return
            waiter = _TaskWaiter(event_loop)
            self._joiners[waiter] = None
        try:
            await waiter.future
        finally:
            self._leave(self._joiners, waiter)

    # For threads.

    def sync_put(self, item: _T, timeout: float | None = None) -> None:
        """Put an item in; block as long as there is no room, `timeout` seconds at most, or Full."""
        self._check_that_blocking_is_fine("put", timeout)
        waiter, waited = None, timeout == 0
        try:
            while True:
                with self._lock:
                    if self._may_put(waiter):
                        self._put(item)
                        return
                    if waited:
                        raise self.Full
                    waiter = _ThreadWaiter()
                    self._putters[waiter] = None
                waited = not waiter.wait(timeout)
        except BaseException:  # A signal handler may have raised anywhere.
            self._leave(self._putters, waiter)
            raise

    def sync_get(self, timeout: float | None = None) -> _T:
        """Take an item out; block as long as there is none, `timeout` seconds at most, or Empty."""
        self._check_that_blocking_is_fine("get", timeout)
        waiter, waited = None, timeout == 0
        try:
            while True:
                with self._lock:
                    if self._may_get(waiter):
                        return self._get()
                    if waited:
                        raise self.Empty
                    waiter = _ThreadWaiter()
                    self._getters[waiter] = None
                waited = not waiter.wait(timeout)
        except BaseException:
            self._leave(self._getters, waiter)
            raise

    def sync_join(self, timeout: float | None = None) -> None:
        """Block until `task_done` was called for each item, `timeout` seconds at most.

        Raises TimeoutError if that was not enough.
        """
        self._check_that_blocking_is_fine("join", timeout)
        waiter = _ThreadWaiter()
        try:
            with self._lock:
                if not self._unfinished:
                    return
                self._joiners[waiter] = None
            if waiter.wait(timeout):
                return
            with self._lock:
                # It may have been woken since.
                if waiter in self._joiners:
                    raise TimeoutError("some items are not done yet")
        finally:
            self._leave(self._joiners, waiter)

    # For everybody.

    def put_nowait(self, item: _T) -> None:
        """Put an item in, or raise Full if there is no room."""
        with self._lock:
            if not self._may_put(None):
                raise self.Full
            self._put(item)

    def get_nowait(self) -> _T:
        """Take an item out, or raise Empty if there is none."""
        with self._lock:
            if not self._may_get(None):
                raise self.Empty
            return self._get()

    def task_done(self) -> None:
        """Report an item that was taken out as done. ValueError if there are no more of them."""
        with self._lock:
            if not self._unfinished:
                raise ValueError("task_done() called too many times")
            self._unfinished -= 1
            self._wake_joiners_if_finished()

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse new items; those that are left can still be taken. All other waiters are woken.

        If `immediate`, the items that are left are dropped and count as done.
        """
        with self._lock:
            self._shut_down = True
            thrown_away: collections.deque[_T] = collections.deque()
            if immediate:
                thrown_away, self._items = self._items, thrown_away
                self._unfinished = max(0, self._unfinished - len(thrown_away))
                self._wake_joiners_if_finished()
            for line in (self._getters, self._putters):
                while line:
                    line.popitem(last=False)[0].wake()

    # The lock is held in all that follow, but for those that take it themselves.

    def _has_item(self) -> bool:
        return len(self._items) > self._promised_items

    def _has_room(self) -> bool:
        taken = len(self._items) + self._promised_room
        return self._maxsize <= 0 or taken < self._maxsize

    def _may_get(self, waiter: _Waiter | None) -> bool:
        """Whether an item can be taken, by a new caller or by a waiter, whose wait is over."""
        if waiter is not None:
            self._redeem(self._getters, waiter)
        if self._has_item():
            return True
        if self._shut_down:
            raise self.ShutDown
        return False

    def _may_put(self, waiter: _Waiter | None) -> bool:
        """Whether an item can be put in, by a new caller or by a waiter, whose wait is over."""
        if waiter is not None:
            self._redeem(self._putters, waiter)
        if self._shut_down:
            raise self.ShutDown
        return self._has_room()

    def _get(self) -> _T:
        item = self._items.popleft()
        if self._putters:
            self._serve()
        return item

    def _put(self, item: _T) -> None:
        self._items.append(item)
        self._unfinished += 1
        if self._getters:
            self._serve()

    def _serve(self) -> None:
        """Promise the items and the room to their waiters."""
        while self._getters and self._has_item():
            self._promise(self._getters)
        while self._putters and self._has_room():
            self._promise(self._putters)

    def _promise(self, line: _Line) -> None:
        waiter, _ = line.popitem(last=False)
        # First of all, or a finaliser that runs meanwhile could take the promised item.
        self._count_promise(line, 1)
        waiter.promised = True
        if not waiter.wake():
            waiter.promised = False
            self._count_promise(line, -1)

    def _redeem(self, line: _Line, waiter: _Waiter) -> None:
        """End a wait: the promised item or room is free for the waiter, or for others."""
        if waiter.promised:
            waiter.promised = False
            self._count_promise(line, -1)
        else:
            line.pop(waiter, None)

    def _count_promise(self, line: _Line, change: int) -> None:
        if line is self._getters:
            self._promised_items += change
        else:
            self._promised_room += change

    def _leave(self, line: _Line, waiter: _Waiter | None) -> None:
        """End the wait, if there is one, of a waiter that gives up."""
        with self._lock:
            if waiter is not None:
                self._redeem(line, waiter)
            self._serve()

    def _wake_joiners_if_finished(self) -> None:
        if not self._unfinished:
            while self._joiners:
                self._joiners.popitem(last=False)[0].wake()

    def _bound_loop(self) -> asyncio.AbstractEventLoop:
        event_loop = asyncio.get_running_loop()
        if self._loop is not event_loop:
            with self._lock:
                if self._loop is None:
                    self._loop = event_loop
            if self._loop is not event_loop:
                raise RuntimeError(f"{self!r} is bound to a different event loop")
        return event_loop

    def _check_that_blocking_is_fine(self, method: str, timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError("'timeout' must be a non-negative number")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                f"sync_{method}() would block this thread's event loop: await {method}() there"
            )
