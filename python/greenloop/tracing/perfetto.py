"""A trace for https://ui.perfetto.dev and chrome://tracing, in the Trace Event Format.

The format is Google's document of that name; the part that Perfetto reads is in its sources,
`importers/json`. Each task is a thread of the process: slices say whether it runs, is ready to run
or waits, and for what. Arrows lead from the slice in which a task wakes or makes another one to the
slice in which that one is ready. The loop has a thread of its own, with its polls and callbacks,
and a counter: the longest time that a task was ready before it ran, in each turn of the loop.

Events are written in the order of their times, slices as a beginning and an end, so nothing of a
long trace is held back. Times are in microseconds, with three digits behind the point.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from greenloop.tracing.document import Event, Trace
from greenloop.tracing.kinds import Kind, name_of_detail, name_of_kind

_OF_A_TASK = frozenset(
    {
        Kind.RESOURCE_MADE,
        Kind.PUT,
        Kind.GET,
        Kind.ACQUIRED,
        Kind.RELEASED,
        Kind.SET,
        Kind.CLEARED,
        Kind.NOTIFIED,
        Kind.JOB_SUBMITTED,
        Kind.SENT,
        Kind.RECEIVED,
        Kind.CANCEL_REQUESTED,
        Kind.TASK_FINISHED,
        Kind.TASK_DONE_SEEN,
    }
)
_OF_THE_LOOP = frozenset(
    {
        Kind.THREAD_CALLED,
        Kind.JOB_FINISHED,
        Kind.TIMER_EXPIRED,
        Kind.LOST,
        Kind.LOOP_STARTED,
        Kind.LOOP_STOPPED,
    }
)
"""Moments, which become instant events on the track of the task or of the loop."""


def write(trace: Trace, file: TextIO) -> None:
    """Write a trace as a JSON object of the Trace Event Format.

    Args:
        trace: The recording.
        file: A text file, which should be UTF-8; only ASCII is written.

    Raises:
        OSError: The file cannot be written.
    """
    other = {"started": trace.head.started, "lost": trace.head.lost}
    file.write(f'{{"displayTimeUnit":"ns","otherData":{json.dumps(other)},"traceEvents":[\n')
    separator = ""
    for line in _Writer(trace).lines():
        file.write(separator + line)
        separator = ",\n"
    file.write("\n]}\n")


class _State(enum.Enum):
    """The states of a task, as slices show them."""

    RUNNING = 1
    READY = 2
    WAITING = 3


class _Track:
    """The state of a task at one moment.

    ::

        (nothing) ──1──► READY ──2──► RUNNING ──3──► WAITING ──4──► READY
                                         └──5──► READY      └─6─► (nothing)

    1 `created`, 2 `step_began`, 3 `step_ended` after `wait_began`, 4 `woken`, 5 `step_ended`
    after `woken`, 6 `step_ended` after `task_finished`.
    """

    __slots__ = ("arrow", "finished", "ready_since", "state", "wait")

    def __init__(self) -> None:
        self.state: _State | None = None
        self.wait: str | None = None
        """The name of its last wait, as JSON; None after the wait has ended."""
        self.ready_since: int | None = None
        self.arrow = 0
        """The arrow that ends at the next slice in which it is ready, or 0."""
        self.finished = False


class _Writer:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        # Perfetto takes process 0 for the idle process of the system.
        self.pid = trace.process.pid or 1
        self.loop = max([0, *trace.tasks, *trace.resources]) + 1
        """The number of the loop's own track, which no task has."""
        self.tracks: dict[int, _Track] = {}
        self.arrows = 0
        self.lag = 0
        """The longest time that a task was ready before it ran, in this turn of the loop."""
        self.open_on_loop: list[str] = []
        self.names = {number: _text(each.name) for number, each in trace.resources.items()}

    def lines(self) -> Iterator[str]:
        yield from self._metadata()
        handlers: dict[int, Callable[[Event], Iterator[str]]] = {
            Kind.TASK_CREATED: self.task_created,
            Kind.STEP_BEGAN: self.step_began,
            Kind.STEP_ENDED: self.step_ended,
            Kind.WAIT_BEGAN: self.wait_began,
            Kind.WOKEN: self.woken,
            Kind.POLL_BEGAN: self.poll_began,
            Kind.POLL_ENDED: self.loop_slice_ended,
            Kind.CALLBACK_BEGAN: self.callback_began,
            Kind.CALLBACK_ENDED: self.loop_slice_ended,
            **dict.fromkeys(_OF_A_TASK, self.moment),
            **dict.fromkeys(_OF_THE_LOOP, self.moment_of_the_loop),
        }
        now = 0
        for event in self.trace.events():
            now = event.time
            handler = handlers.get(event.kind)
            if handler is not None:
                yield from handler(event)
        for number, track in self.tracks.items():
            if track.state is not None:
                yield self._end(now, number)
        for _ in self.open_on_loop:
            yield self._end(now, self.loop)

    def _metadata(self) -> Iterator[str]:
        process = self.trace.process
        name = " ".join(process.argv) or "greenloop"
        yield self._named("process_name", self.loop, {"name": _clean(name)})
        yield self._named("process_labels", self.loop, {"labels": _clean(process.python)})
        threads = [(self.loop, f"loop in {process.thread or 'a thread'}")]
        for number, task in self.trace.tasks.items():
            coroutine = f" ({task.coroutine})" if task.coroutine not in ("", task.name) else ""
            threads.append((number, task.name + coroutine))
        for index, (number, thread) in enumerate(threads):
            yield self._named("thread_name", number, {"name": _clean(thread)})
            yield self._named("thread_sort_index", number, {"sort_index": index})

    def _named(self, name: str, track: int, args: dict[str, Any]) -> str:
        return (
            f'{{"name":"{name}","ph":"M","pid":{self.pid},"tid":{track},"args":{json.dumps(args)}}}'
        )

    def _begin(self, now: int, track: int, name: str, category: str, args: str = "") -> str:
        """Begin a slice; its name and its arguments are given as JSON."""
        line = f'{{"ph":"B","ts":{_time(now)},"pid":{self.pid},"tid":{track},"name":{name}'
        return line + f',"cat":"{category}"' + (f',"args":{args}}}' if args else "}")

    def _end(self, now: int, track: int) -> str:
        return f'{{"ph":"E","ts":{_time(now)},"pid":{self.pid},"tid":{track}}}'

    def _arrow(self, phase: str, now: int, track: int, number: int) -> str:
        # An arrow ends at the slice around its end; without "e" it would be the next one.
        end = ',"bp":"e"' if phase == "f" else ""
        return (
            f'{{"ph":"{phase}","ts":{_time(now)},"pid":{self.pid},"tid":{track}'
            f',"name":"wakes","cat":"wake","id":{number}{end}}}'
        )

    def _track(self, number: int) -> _Track:
        return self.tracks.get(number) or self.tracks.setdefault(number, _Track())

    def _change(self, now: int, number: int, track: _Track, state: _State | None) -> Iterator[str]:
        """End the slice of a task, and begin the next one."""
        if track.state is not None:
            yield self._end(now, number)
        track.state = state
        if state is _State.RUNNING:
            yield self._begin(now, number, '"running"', "task")
        elif state is _State.READY:
            yield self._begin(now, number, '"ready"', "task")
            if track.arrow:
                yield self._arrow("f", now, number, track.arrow)
                track.arrow = 0
        elif state is _State.WAITING:
            yield self._begin(now, number, track.wait or '"waiting"', "wait")

    def _made_ready(self, now: int, by: int, number: int) -> Iterator[str]:
        track = self._track(number)
        if track.ready_since is not None:
            return
        track.wait, track.ready_since = None, now
        maker = self.tracks.get(by)
        if by != number and maker is not None and maker.state is _State.RUNNING:
            self.arrows += 1
            track.arrow = self.arrows
            yield self._arrow("s", now, by, track.arrow)
        # A task that is woken in its own step is ready when the step has ended.
        if track.state is not _State.RUNNING:
            yield from self._change(now, number, track, _State.READY)

    def task_created(self, event: Event) -> Iterator[str]:
        return self._made_ready(event.time, event.task, event.other)

    def woken(self, event: Event) -> Iterator[str]:
        return self._made_ready(event.time, event.task, event.other)

    def step_began(self, event: Event) -> Iterator[str]:
        track = self._track(event.task)
        if track.ready_since is not None:
            self.lag = max(self.lag, event.time - track.ready_since)
        track.ready_since = track.wait = None
        return self._change(event.time, event.task, track, _State.RUNNING)

    def step_ended(self, event: Event) -> Iterator[str]:
        track = self._track(event.task)
        state = None
        if track.ready_since is not None:
            state = _State.READY
        elif not track.finished:
            state = _State.WAITING
        return self._change(event.time, event.task, track, state)

    def wait_began(self, event: Event) -> Iterator[str]:
        wait = str(name_of_detail(event.kind, event.detail))
        name = self.trace.name_of(event.other) if event.other else ""
        self._track(event.task).wait = _text(f"waiting: {wait} {name}".rstrip())
        return iter(())

    def poll_began(self, event: Event) -> Iterator[str]:
        yield (
            f'{{"ph":"C","ts":{_time(event.time)},"pid":{self.pid},"tid":{self.loop}'
            f',"name":"loop lag","args":{{"µs":{_time(self.lag)}}}}}'
        ).replace("µ", "\\u00b5")
        self.lag = 0
        yield from self._loop_slice(event, '"poll"')

    def callback_began(self, event: Event) -> Iterator[str]:
        return self._loop_slice(event, '"callback"')

    def _loop_slice(self, event: Event, name: str) -> Iterator[str]:
        self.open_on_loop.append(name)
        site = self._site(event.site)
        yield self._begin(event.time, self.loop, name, "loop", f"{{{site}}}" if site else "")

    def loop_slice_ended(self, event: Event) -> Iterator[str]:
        # The recording may have begun inside of it.
        if self.open_on_loop:
            self.open_on_loop.pop()
            yield self._end(event.time, self.loop)

    def moment(self, event: Event) -> Iterator[str]:
        """Write an instant event on the track of the task in which it happened, or of the loop."""
        if event.kind == Kind.TASK_FINISHED:
            self._track(event.task).finished = True
        return self._instant(event, event.task or self.loop, "t")

    def moment_of_the_loop(self, event: Event) -> Iterator[str]:
        return self._instant(event, self.loop, "p" if event.kind == Kind.LOST else "t")

    def _instant(self, event: Event, track: int, scope: str) -> Iterator[str]:
        args = [f'"value":{event.value}'] if event.value else []
        name = str(name_of_kind(event.kind))
        if event.other:
            args.insert(0, f'"of":{_text(self.trace.name_of(event.other))}')
        if event.detail:
            args.append(f'"detail":{json.dumps(name_of_detail(event.kind, event.detail))}')
        if site := self._site(event.site):
            args.append(site)
        yield (
            f'{{"ph":"i","s":"{scope}","ts":{_time(event.time)},"pid":{self.pid},"tid":{track}'
            f',"name":{json.dumps(name)},"cat":"event","args":{{{",".join(args)}}}}}'
        )

    def _site(self, index: int) -> str:
        """Return the place in the source as a member of a JSON object, empty if unknown."""
        site = self.trace.sites[index] if index < len(self.trace.sites) else None
        return f'"at":{_text(f"{site.file}:{site.line}")}' if site is not None else ""


def _time(nanoseconds: int) -> str:
    """Return a time in microseconds as JSON, without a detour over floats."""
    whole, rest = divmod(nanoseconds, 1000)
    return f"{whole}.{rest:03}" if rest else str(whole)


def _clean(text: str) -> str:
    """Return the text without halves of surrogate pairs, which readers in C++ refuse."""
    return text.encode("utf-8", "replace").decode()


def _text(text: str) -> str:
    return json.dumps(_clean(text))
