"""What another process sees of the tasks of a program: `python -m asyncio ps` and `pstree`."""

import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info < (3, 14):
    pytest.skip("these commands are of Python 3.14", allow_module_level=True)

from asyncio import tools

PROGRAM = Path(__file__).with_name("awaiting_tasks.py")

NATIVE = [f"getting-{number}" for number in range(4)]


def task_infos(kit):
    """Return what the commands read in the memory of the program."""
    command = [sys.executable, PROGRAM, kit]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as program:
        assert program.stdout.readline() == "all tasks wait\n"
        try:
            threads = tools.get_all_awaited_by(program.pid)
        except PermissionError as error:
            pytest.skip(f"this process may not look at another: {error}")
        finally:
            program.stdin.close()
    infos = [info for thread in threads for info in thread.awaited_by]
    return {info.task_name: info for info in infos}


def edges(infos):
    """Return which task awaits which."""
    names = {info.task_id: name for name, info in infos.items()}
    return {
        (names[waiter.task_name], name)
        for name, info in infos.items()
        for waiter in info.awaited_by
    }


def functions(info):
    return [frame.funcname for stack in info.coroutine_stack for frame in stack.call_stack]


@pytest.fixture(scope="module")
def infos():
    return {kit: task_infos(kit) for kit in ["asyncio", "greenloop"]}


@pytest.mark.slow
class TestFromOutside:
    def test_each_task_is_seen_by_its_name(self, infos):
        assert sorted(infos["greenloop"]) == sorted(infos["asyncio"])

    def test_each_task_is_seen_to_be_awaited_by_the_same_tasks(self, infos):
        expected = edges(infos["asyncio"])
        assert edges(infos["greenloop"]) == expected
        assert len(expected) == 6

    def test_the_frames_are_those_of_the_programs_own_coroutines(self, infos):
        """Such as asyncio has behind them are not seen: an object of ours is there."""
        for name, info in infos["greenloop"].items():
            shown, expected = functions(info), functions(infos["asyncio"][name])
            assert shown == ([] if name in NATIVE else expected[-len(shown) :])
            assert len(shown) == (0 if name in NATIVE else 1)

    def test_the_commands_print_them(self, infos, monkeypatch, capsys):
        thread = type("Thread", (), {"thread_id": 1, "awaited_by": [*infos["greenloop"].values()]})
        monkeypatch.setattr(tools, "get_all_awaited_by", lambda *_: [thread])
        tools.display_awaited_by_tasks_table(0)
        tools.display_awaited_by_tasks_tree(0)
        assert "awaiting-in-time" in capsys.readouterr().out
