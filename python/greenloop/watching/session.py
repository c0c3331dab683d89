"""The watch of this process: a thread that answers clients and reports stalls and deadlocks.

A native thread, which needs no GIL, looks at the loops and lets clients in; what needs Python it
orders from the thread here. Nothing runs in the threads of the loops.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from greenloop import _native
from greenloop.deadlock import Deadlock
from greenloop.tracing.files import form_of, write
from greenloop.tracing.flight import FlightRecorder
from greenloop.tracing.recording import Recording, libraries
from greenloop.watching import place, snapshot, tasks
from greenloop.watching.deadlock_reports import DeadlockReports
from greenloop.watching.stall_reports import StallReports

log: Final = logging.getLogger("greenloop.watchdog")

LONGEST_RECORDING: Final = 3600
"""How many seconds a client may have recorded."""

OnDeadlock = Literal["log", "raise"] | Callable[[dict[str, Any]], object]
"""What is done when a deadlock is found."""

_PATIENCE: Final = 5.0
"""For how many seconds the end of a watch waits for a callback of the program."""

DEFAULT_THRESHOLD: Final = 0.1
"""How many seconds a step may take before it is a stall."""


class Session:
    """A watch of all loops of the process.

    Args:
        threshold: How many seconds a step may take before it is reported as a stall.
        on_stall: Called with the description of a stall, a dictionary, in the watching thread: when
            it begins, and when it is over.
        on_deadlock: `"log"`, or `"raise"`, which throws `Deadlock` into the tasks that wait for
            each other, or a function that is called with the description of the deadlock.
        recorder: A flight recorder that writes a file after a stall and at a deadlock.

    Raises:
        RuntimeError: The process is watched already.
        ValueError: The threshold is no positive number, or `on_deadlock` is something else.
        OSError: The socket cannot be made.
    """

    def __init__(
        self,
        threshold: float = DEFAULT_THRESHOLD,
        on_stall: Callable[[dict[str, Any]], object] | None = None,
        on_deadlock: OnDeadlock = "log",
        recorder: FlightRecorder | None = None,
    ) -> None:
        if not (on_deadlock in ("log", "raise") or callable(on_deadlock)):
            raise ValueError(
                f"on_deadlock has to be 'log', 'raise' or a callable, not {on_deadlock!r}"
            )
        if not threshold > 0:
            raise ValueError(f"the threshold has to be a positive number, not {threshold!r}")
        self.threshold = threshold
        self.on_stall = on_stall
        self.on_deadlock = on_deadlock
        self.recorder = recorder
        self.began = time.monotonic()
        self.stalls = StallReports()
        self.deadlocks = DeadlockReports()
        self.path = _socket_path()
        _native._start_watch(self.path, float(threshold), libraries())
        self._thread = threading.Thread(target=self._serve, name="greenloop-watch", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            _native._stop_watch()
            raise

    def stop(self) -> None:
        """End the watch. Clients that wait get no answer."""
        _native._stop_watch()
        if self._thread is not threading.current_thread():
            # A callback of the program may hang, and nobody is to hang with it.
            self._thread.join(_PATIENCE)

    def report(self) -> dict[str, Any]:
        """Return the report of this moment, as `docs/report-format.md` describes it."""
        report = snapshot.take()
        tasks.wake_loops()
        report["watched_for"] = time.monotonic() - self.began
        report["stalls"] = self.stalls.all()
        report["deadlocks"] = self.deadlocks.all()
        report["counters"]["stalls"] = self.stalls.count()
        report["counters"]["deadlocks"] = self.deadlocks.count()
        return report

    def _serve(self) -> None:
        while (order := _native._next_order()) is not None:
            try:
                self._carry_out(order)
            except Exception:
                log.exception("an order of the watch failed: %r", order)
            tasks.wake_loops()

    def _carry_out(self, order: tuple[Any, ...]) -> None:
        match order:
            case ("answer", ticket, request):
                asked = _parsed(request)
                if asked.get("want") == "trace":
                    # It takes as long as the client wants.
                    arguments = ticket, asked
                    threading.Thread(target=_record, args=arguments, daemon=True).start()
                else:
                    answer, is_report = self._answer(asked)
                    _native._answer(ticket, json.dumps(answer).encode(), is_report)
            case ("stall", number):
                self._tell_stall(self.stalls.begin(number), log.warning)
            case ("stall-changed", number):
                self.stalls.begin(number)
            case ("stall-over", number):
                self._tell_stall(self.stalls.end(number), log.warning)
            case ("check",):
                self.stalls.note_threads()
                for deadlock, parties in self.deadlocks.search():
                    self._tell_deadlock(deadlock, parties)

    def _answer(self, asked: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Answer a client; and whether the answer is a report."""
        want = asked.get("want")
        try:
            match want:
                case None:
                    return {"error": "the request is no JSON object that says what it wants"}, False
                case "report":
                    return self.report(), True
                case "stalls":
                    return {"stalls": self.stalls.all()}, False
        except Exception as error:
            log.exception("a client could not be answered")
            return {"error": f"{type(error).__name__}: {error}"}, False
        return {"error": f"nothing is known of {want!r}"}, False

    def _tell_stall(self, stall: dict[str, Any] | None, say: Callable[..., object]) -> None:
        if stall is None:
            return
        if stall["over"] and self.recorder is not None:
            self.recorder.happened("stall")
        say("%s", self.stalls.in_words(stall))
        if self.on_stall is not None:
            _call(self.on_stall, stall)

    def _tell_deadlock(self, deadlock: dict[str, Any], parties: list[Any]) -> None:
        log.error("%s", deadlock["text"])
        if self.recorder is not None:
            self.recorder.happened("deadlock")
        if self.on_deadlock == "raise":
            for task in parties:
                # A loop may have been closed meanwhile.
                with contextlib.suppress(RuntimeError):
                    task.get_loop().call_soon_threadsafe(_throw, task, Deadlock(deadlock["text"]))
        elif callable(self.on_deadlock):
            _call(self.on_deadlock, deadlock)


def _call(callback: Callable[[dict[str, Any]], object], description: dict[str, Any]) -> None:
    """Call a callback of the program. What it raises is logged, and the watch goes on."""
    try:
        callback(description)
    except Exception:
        log.exception("the callback %r of the watch failed", callback)


def _parsed(request: bytes) -> dict[str, Any]:
    """Return the request of a client, empty if it is none."""
    try:
        asked = json.loads(request)
    except (ValueError, RecursionError):
        return {}
    return asked if isinstance(asked, dict) else {}


def _record(ticket: int, asked: dict[str, Any]) -> None:
    """Answer a client that wants a recording of the next seconds."""
    try:
        answer = {"file": _recorded(float(asked["seconds"]), str(asked["form"]))}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    _native._answer(ticket, json.dumps(answer).encode(), False)


def _recorded(seconds: float, form: str) -> str:
    """Record for some seconds, and return the file of this form.

    Raises:
        ValueError: There is no such form, or the time is none.
        RuntimeError: The process is recorded already.
    """
    name = f"trace.{form}"
    if form == "trace":
        raise ValueError("a file of this form is no text")
    form_of(name)
    if not 0 < seconds <= LONGEST_RECORDING:
        raise ValueError(f"a recording takes up to {LONGEST_RECORDING} seconds, not {seconds}")
    recording = Recording()
    try:
        time.sleep(seconds)
    finally:
        trace = recording.stop()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        write(trace, path)
        with open(path, encoding="utf-8", errors="surrogatepass") as file:
            return file.read()


def _throw(task: Any, exception: Deadlock) -> None:
    """Throw into a task, in the thread of its loop."""
    _native._throw_into_task(task, exception)


def _socket_path() -> str:
    """Return the path of this process's socket, in a folder that only the user may enter.

    Raises:
        OSError: The folder cannot be made.
        PermissionError: It belongs to somebody else, or others may enter it.
    """
    path = place.socket_path(os.getpid())
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} has to be a folder of the user alone, with mode 0700")
    return path


_lock = threading.Lock()
_session: Session | None = None
_before_the_fork: Session | None = None
"""The watch of the parent, in the child of a fork that has no loop so far."""


def begin(
    threshold: float = DEFAULT_THRESHOLD,
    on_stall: Callable[[dict[str, Any]], object] | None = None,
    on_deadlock: OnDeadlock = "log",
    recorder: FlightRecorder | None = None,
) -> Session:
    """Begin the watch of the process.

    Raises:
        RuntimeError: The process is watched already.
        ValueError: The threshold is no positive number, or `on_deadlock` is something else.
        OSError: The socket cannot be made.
    """
    global _session, _before_the_fork
    with _lock:
        _session = Session(threshold, on_stall, on_deadlock, recorder)
        _before_the_fork = None
        _have_multiprocessing_end_it()
        return _session


def begin_if_possible() -> None:
    """Begin the watch unless there is one; log why it cannot be."""
    try:
        if _session is None:
            begin()
    except OSError:
        log.exception("the process is not watched")


def begin_in_child() -> None:
    """Watch the child of a fork as its parent, now that it has a loop."""
    before = _before_the_fork
    if before is None:
        return
    try:
        begin(before.threshold, before.on_stall, before.on_deadlock)
    except OSError:
        log.exception("the child of a fork is not watched")


def end(session: Session) -> None:
    """End a watch; one that has ended already stays so."""
    global _session, _before_the_fork
    with _lock:
        if session is _before_the_fork:
            _before_the_fork = None
        if _session is not session:
            return
        _session = None
    session.stop()


def current() -> Session | None:
    """Return the watch of the process, if there is one."""
    return _session


@atexit.register
def _end_at_exit() -> None:
    if _session is not None:
        end(_session)


def _have_multiprocessing_end_it() -> None:
    """Register the end of the watch: children of `multiprocessing` do without `atexit`."""
    process, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _end_at_exit, exitpriority=0)


def _after_fork() -> None:
    """Forget the watch in the child of a fork: its threads are not there.

    It begins again with the first loop. A child that becomes another program, or ends soon, has
    none, and leaves no socket behind.
    """
    global _session, _before_the_fork, _lock
    _lock = threading.Lock()
    if _session is None:
        return
    _session, _before_the_fork = None, _session
    _native._forget_watch()


os.register_at_fork(after_in_child=_after_fork)
