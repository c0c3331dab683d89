"""A program that runs operations while allocations fail, and tells what came of each.

`python failing_allocations.py LOOP POINTS FILE...` takes the operations of the files and runs each
as often as it allocates: at one time its first allocation fails, then its second and so on, that
one alone or several in a row. Each operation has a process of its own, since what goes wrong here
may end it. Afterwards the loop has to run a small program, and what was operated on has to work.

An operation is a generator function: it prepares, yields what is done without memory (a function,
or a coroutine function that the loop runs), and then looks whether all is well.

POINTS limits the places tried for each operation; 0 is all of them. The answer is one line of JSON
for each operation, with what it raised; under "bad" stands what must not be, and under "excused"
what the interpreter breaks by itself.
"""

import _testcapi
import asyncio
import collections
import faulthandler
import gc
import importlib.util
import inspect
import itertools
import json
import mmap
import os
import pathlib
import signal
import sys
import tempfile
import types
import warnings

# Longer than any operation takes on a busy machine, and each dead loop costs it.
PATIENCE = float(os.environ.get("GREENLOOP_PATIENCE", "5"))
IDLE = PATIENCE / 5

# What a program without memory may see: MemoryError, and what its own reactions to that raise.
EXPECTED = (Exception, asyncio.CancelledError)

# How many allocations fail. Not all that follow: CPython goes round for ever in the handler of an
# exception that has no memory for an integer (`exception_unwind`), with any loop.
ALONE, ONWARDS = 1, 25


class Failure(Exception):
    """The operation left something behind that does not work."""


class Trial:
    """One operation in one process."""

    def __init__(self, operation, place):
        self.operation = operation
        self.place = place
        self.outcomes = collections.Counter()
        self.reports = []
        self.main = None
        self.is_stuck = False
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self.report)
        sys.unraisablehook = self.report_unraisable

    def report(self, loop, context):
        _testcapi.remove_mem_hooks()
        self.note(context.get("exception") or context["message"])

    def report_unraisable(self, unraisable):
        _testcapi.remove_mem_hooks()
        self.note(unraisable.exc_value or unraisable.exc_type)

    def note(self, problem):
        self.reports.append(problem)
        # What it happened to may wait for ever, as the report says.
        if self.main is not None:
            self.main.cancel()

    def attempt(self, first, mode):
        """Does the operation with allocation `first` failing; returns whether nobody noticed."""
        self.place[:8] = first.to_bytes(8, "little")
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        self.reports.clear()
        steps = self.operation(self.loop)
        action = next(steps)
        error = self.without_memory(action, first, first + mode)
        self.tidy()
        where = f"{first} to {first + mode}"
        self.judge(error, where)
        if self.is_stuck:
            self.is_stuck = False
            self.outcomes["stuck"] += 1
            told = any(isinstance(problem, MemoryError) for problem in self.reports)
            # Where several fail, so may what tells of the first.
            if mode is ALONE and not told:
                raise Failure(f"{where}: a wake-up is lost")
        if self.reports or error:
            for step in steps:
                raise AssertionError(step)
            self.tidy()
            return False
        collections.deque(steps, maxlen=0)
        self.tidy()
        return True

    def without_memory(self, action, first, end):
        arm, disarm = _testcapi.set_nomemory, _testcapi.remove_mem_hooks
        try:
            if inspect.iscoroutinefunction(action):
                self.run_without_memory(action, first, end)
            else:
                arm(first, end)
                action()
        except BaseException as error:
            disarm()
            # What its frames hold may have something to report.
            error.__context__ = error.__cause__ = None
            return error.with_traceback(None)
        finally:
            disarm()
        return None

    def run_without_memory(self, action, first, end):
        arm, disarm = _testcapi.set_nomemory, _testcapi.remove_mem_hooks

        async def main():
            coroutine = action()
            arm(first, end)
            try:
                await coroutine
            finally:
                disarm()

        # Setting a loop up to run is an operation of its own.
        self.main = self.loop.create_task(main())
        timer = self.loop.call_later(IDLE, self.give_up)
        try:
            self.loop.run_until_complete(self.main)
        finally:
            disarm()
            timer.cancel()
            self.main = None

    def give_up(self):
        """The program waits for ever: for a task that found no memory, or for a lost wake-up."""
        self.is_stuck = True
        self.main.cancel()

    def tidy(self):
        """Ends what the operation has begun, with all the memory that it takes."""
        if self.loop.is_running():
            raise Failure("the loop believes that it runs")
        if sys.version_info < (3, 12):
            # To forget which loop runs in a thread takes memory there, with asyncio's loop as well.
            asyncio._set_running_loop(None)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        for _ in range(20):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            while tasks:
                tasks.pop().cancel()
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        else:
            raise Failure(f"tasks do not end: {asyncio.all_tasks(self.loop)}")
        self.loop.run_until_complete(self.small_program())
        gc.collect()

    async def small_program(self):
        await asyncio.sleep(0)
        future = self.loop.create_future()
        self.loop.call_soon(future.set_result, 1)
        assert await future == 1
        assert await asyncio.gather(asyncio.sleep(0, 2)) == [2]

    def judge(self, error, where):
        for problem in [error, *self.reports]:
            if isinstance(problem, str):
                self.outcomes[problem] += 1
                continue
            if problem is None:
                continue
            kind = problem if isinstance(problem, type) else type(problem)
            self.outcomes[kind.__name__] += 1
            if is_excused(self.operation) and is_lost_exception(problem):
                continue
            if issubclass(kind, SystemError) or not issubclass(kind, EXPECTED):
                raise Failure(f"{where}: {problem!r}")

    def last_place(self):
        """The first allocation from which on a failure has no effect any more, by halving."""
        low, high = 0, 1
        while not self.attempt(high, ONWARDS):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            if self.attempt(middle, ONWARDS):
                high = middle
            else:
                low = middle
        return high

    def places(self, limit):
        count = self.last_place() + 4
        step = max(1, count // limit) if limit else 1
        for mode in (ONWARDS, ALONE):
            for first in range(0, count, step):
                yield mode, first

    def run(self, limit, skip):
        tried = 0
        for mode, first in itertools.islice(self.places(limit), skip, None):
            self.place[8:16] = (skip + tried + 1).to_bytes(8, "little")
            self.attempt(first, mode)
            tried += 1
        return tried


def run_in_child(name, operation, limit):
    """Runs one operation, and goes on behind what has ended its process."""
    place = mmap.mmap(-1, 16)
    answer = {"operation": name, "tried": 0, "bad": [], "excused": []}
    answer["outcomes"] = collections.Counter()
    # A panic is ours, whatever the interpreter does.
    broken = answer["excused" if is_excused(operation) else "bad"]
    skip = 0
    for _ in range(50 if not limit else 4):
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as result:
            child = os.fork()
            if child == 0:
                os.dup2(errors.fileno(), 2)
                os._exit(child_main(operation, place, limit, skip, result))
            status = os.waitpid(child, 0)[1]
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            result.seek(0)
            found = json.loads(result.read() or b"{}")
        answer["tried"] += found.get("tried", 0)
        answer["outcomes"].update(found.get("outcomes", {}))
        panics = text.count("panicked at")
        if panics or "PanicException" in text or "greenloop panicked" in text:
            answer["bad"].append(f"{panics} panics: {text[-1500:]}")
        if status == 0:
            return answer
        where = int.from_bytes(place[:8], "little")
        broken.append(f"{describe(status, text)} at {where}: {text[-1500:]}")
        skip = int.from_bytes(place[8:16], "little")
        if not skip:
            return answer
    return answer


def is_excused(operation):
    return hasattr(operation, "crashes_the_interpreter")


def is_lost_exception(problem):
    """Whether the interpreter says that it has lost an exception, and not in a function of ours."""
    words = "without exception set", "without setting an exception", "with an exception set"
    text = str(problem)
    return (
        isinstance(problem, SystemError)
        and any(text.endswith(each) for each in words)
        and "greenloop" not in text
    )


def child_main(operation, place, limit, skip, result):
    faulthandler.enable()
    warnings.simplefilter("ignore")
    gc.collect()
    gc.freeze()
    gc.disable()
    # The first time imports and fills caches, and must succeed.
    place[:] = bytes(16)
    trial = Trial(operation, place)
    for _ in range(2):
        assert trial.attempt(1_000_000_000, ALONE), trial.reports
    try:
        tried = trial.run(limit, skip)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 3
    result.write(json.dumps({"tried": tried, "outcomes": trial.outcomes}).encode())
    result.flush()
    return 0


def describe(status, text):
    if "Timeout (" in text:
        return "dead loop"
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "failed"


def keep_code_objects(kept):
    """Hold more references to all code objects than CPython up to 3.13 releases by mistake.

    Where it has no memory for a function it releases that function's code twice (`MAKE_FUNCTION`),
    until the code is freed which others still run. That would hide what this program looks for.
    """
    codes = [
        function.__code__ for function in gc.get_objects() if type(function) is types.FunctionType
    ]
    while codes:
        code = codes.pop()
        # By identity, since codes are equal that only look alike.
        if id(code) not in kept:
            kept[id(code)] = [code] * 1000
            codes += [each for each in code.co_consts if type(each) is types.CodeType]


def operations_of(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, function in vars(module).items():
        if inspect.isgeneratorfunction(function) and function.__module__ == module.__name__:
            if not name.startswith("_"):
                yield name, function


def main():
    kind, limit, *paths = sys.argv[1:]
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
    if kind == "greenloop":
        import greenloop

        greenloop.install()
    only = os.environ.get("GREENLOOP_OPERATIONS", "").split()
    kept = {}
    for path in paths:
        for name, operation in operations_of(path):
            keep_code_objects(kept)
            if not only or name in only:
                print(json.dumps(run_in_child(name, operation, int(limit))), flush=True)


if __name__ == "__main__":
    main()
