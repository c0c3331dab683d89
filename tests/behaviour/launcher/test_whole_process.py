"""Under the launcher a program runs on Greenloop, whoever makes the loop, in every process."""

import asyncio
import os
import re
import subprocess
import sys

import pytest

import greenloop

pytestmark = pytest.mark.slow

OURS, ASYNCIOS = "greenloop.event_loop", "asyncio.unix_events"

CHILDREN = """\
import asyncio, multiprocessing, sys

async def whose_loop():
    return type(asyncio.get_running_loop()).__module__

def child(results, grandchildren):
    results.put(asyncio.run(whose_loop()))
    if grandchildren:
        run_child(results, grandchildren - 1)

def run_child(results, grandchildren):
    context = multiprocessing.get_context(sys.argv[1])
    process = context.Process(target=child, args=(results, grandchildren))
    process.start()
    process.join()

if __name__ == "__main__":
    results = multiprocessing.get_context(sys.argv[1]).SimpleQueue()
    run_child(results, 1)
    print(results.get(), results.get())
"""
LOOPS = """\
import asyncio, selectors

async def whose_loop():
    return type(asyncio.get_running_loop()).__module__

names = ["SelectorEventLoop"] + ["EventLoop"] * hasattr(asyncio, "EventLoop")
for name in names:
    kind = getattr(asyncio, name)
    class Derived(kind):
        pass
    selector = selectors.SelectSelector()
    for loop in kind(), kind(None), kind(selector=None), kind(selector), Derived():
        assert isinstance(loop, kind) and issubclass(type(loop), kind), loop
        ran = loop.run_until_complete(whose_loop())
        print(Derived.__base__.__module__ if type(loop) is Derived else ran)
        loop.close()
    assert not isinstance(object(), kind) and not issubclass(dict, kind)
"""
WHOSE_LOOP = """\
import asyncio
async def whose_loop():
    return type(asyncio.get_running_loop()).__module__
print(asyncio.run(whose_loop()))
"""


def python(*arguments, executable=sys.executable, **variables):
    """Run an interpreter; return what it printed and what it said on standard error."""
    result = subprocess.run(
        [executable, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout, result.stderr


@pytest.fixture
def write(tmp_path):
    """Writes a program into a folder of the test's; returns its path."""

    def write(source):
        path = tmp_path / "program.py"
        path.write_text(source)
        return str(path)

    return write


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_multiprocessing_and_theirs_run_on_ours(write, method):
    out, _ = python("-m", "greenloop", write(CHILDREN), method)
    assert out.split() == [OURS, OURS]


def test_children_are_plain_where_the_program_named_another_executable(write, tmp_path):
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    program = CHILDREN.replace(
        'if __name__ == "__main__":\n',
        f'if __name__ == "__main__":\n    multiprocessing.set_executable({str(other)!r})\n',
    )
    out, _ = python("-m", "greenloop", write(program), "spawn")
    assert out.split() == [ASYNCIOS, ASYNCIOS]


@pytest.mark.parametrize(
    ("end", "expected"), [("", OURS), ("greenloop.uninstall()", ASYNCIOS)], ids=["installed", "not"]
)
def test_children_follow_a_program_that_installs_and_uninstalls(write, end, expected):
    begin = f"import greenloop; greenloop.install(whole_process=True); {end}"
    program = CHILDREN.replace(
        'if __name__ == "__main__":\n', f'if __name__ == "__main__":\n    {begin}\n'
    ).replace("run_child(results, 1)", "run_child(results, 0)")
    out, _ = python(write(program.replace(", results.get())", ")")), "spawn")
    assert out.split() == [expected]


def test_a_loop_asked_for_by_asyncios_name_is_ours_unless_it_has_a_selector(write):
    out, _ = python("-m", "greenloop", write(LOOPS))
    one = [OURS, OURS, OURS, ASYNCIOS, ASYNCIOS]
    assert out.split() == one * (2 if hasattr(asyncio, "EventLoop") else 1)


def test_what_a_program_takes_from_uvloop_by_name_stays_uvloops(write):
    pytest.importorskip("uvloop")
    program = """\
import asyncio, uvloop, warnings
warnings.simplefilter("ignore")
async def whose_loop():
    return type(asyncio.get_running_loop()).__module__
print(uvloop.run(whose_loop()), asyncio.run(whose_loop()))
loop = uvloop.new_event_loop()
print(loop.run_until_complete(whose_loop()))
loop.close()
if hasattr(uvloop, "install"):
    uvloop.install()
    print(asyncio.run(whose_loop()))
"""
    out, _ = python("-m", "greenloop", write(program))
    assert out.split()[:3] == ["uvloop", OURS, "uvloop"]
    assert out.split()[3:] in ([], ["uvloop"])


def test_what_is_replaced_in_the_stand_in_is_replaced_in_asyncios_class(monkeypatch):
    own = asyncio.unix_events._UnixSelectorEventLoop
    original = own.time
    with monkeypatch.context() as patch:
        patch.setattr(greenloop.SelectorEventLoop, "time", lambda self: 42)
        loop = own()
        assert loop.time() == 42
        loop.close()
    assert own.time is original
    assert not hasattr(greenloop.SelectorEventLoop, "nobody")


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_each_process_says_which_loops_it_runs_if_asked(write, value, expected):
    program = """\
import asyncio, os
for loop in asyncio.new_event_loop(), asyncio.unix_events._UnixSelectorEventLoop():
    for _ in range(2):
        loop.run_until_complete(asyncio.sleep(0))
    if os.fork() == 0:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        os._exit(0)
    os.wait()
"""
    out, err = python("-m", "greenloop", write(program), GREENLOOP_LOG=value)
    lines = re.findall(r"^greenloop: process (\d+) runs (\S+)$", err, re.MULTILINE)
    ours, asyncios = "greenloop.event_loop.EventLoop", "asyncio.unix_events._UnixSelectorEventLoop"
    assert [loop for _, loop in lines] == [ours, ours, asyncios, ours] * expected
    assert len({process for process, _ in lines}) == 3 * expected
    assert out == ""


@pytest.fixture
def environment(tmp_path):
    """The interpreter of an environment of the test's own, which finds Greenloop."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    home = os.path.dirname(os.path.dirname(greenloop.__file__))
    (packages / "a-path-to-greenloop.pth").write_text(f"{home}\n")
    return str(folder / "bin" / "python")


def test_every_interpreter_of_an_environment_can_be_had_and_given_back(environment, write):
    program = write(WHOSE_LOOP)

    def command(word):
        return python("-m", "greenloop.startup", word, executable=environment)[0].partition(":")[0]

    def whose_loop():
        return python(program, executable=environment)[0].strip()

    assert (command("status"), whose_loop()) == ("disabled", ASYNCIOS)
    assert (command("enable"), whose_loop()) == ("enabled", OURS)
    assert (command("enable"), whose_loop()) == ("enabled", OURS)
    # The launcher, and a program that imports Greenloop first, do not mind.
    assert python("-m", "greenloop", program, executable=environment)[0].strip() == OURS
    imported = "import greenloop, asyncio; print('asyncio.Task' in greenloop.installed_names())"
    assert python("-c", imported, executable=environment)[0] == "True\n"
    # What does not use asyncio pays nothing for it.
    idle = "import sys; print({'asyncio', 'greenloop', 'typing'} & {*sys.modules})"
    assert python("-c", idle, executable=environment)[0] == "set()\n"
    assert (command("disable"), whose_loop()) == ("disabled", ASYNCIOS)
    assert (command("disable"), whose_loop()) == ("disabled", ASYNCIOS)


def test_an_environment_that_has_lost_greenloop_starts_as_before(environment, write):
    python("-m", "greenloop.startup", "enable", executable=environment)
    folder = os.path.dirname(os.path.dirname(environment))
    (path,) = [
        os.path.join(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name == "a-path-to-greenloop.pth"
    ]
    os.remove(path)
    out, err = python(write(WHOSE_LOOP), executable=environment)
    assert (out.strip(), err) == (ASYNCIOS, "")
