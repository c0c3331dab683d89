"""Mermaid reads the text of a diagram as it was meant, with any names in it.

Mermaid itself is asked if `node` and the package `mermaid` are there: globally, in a folder
`node_modules` of the repository, or in the one that GREENLOOP_NODE_MODULES names.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from greenloop.tracing.mermaid import mermaid
from greenloop.tracing.sequence import sequence
from lesson_traces import producer_sets_pace
from trace_builder import TraceBuilder

ROOT = pathlib.Path(__file__).resolve().parents[2]


def text_of(builder, **options):
    return mermaid(sequence(builder.build(), **options))


def named(*names):
    """A trace in which tasks of these names cancel each other."""
    trace = TraceBuilder()
    tasks = [trace.task(name) for name in names]
    queue = [trace.resource(name, "queue.get", "Queue") for name in names]
    for task, other, it in zip(tasks, [*tasks[1:], tasks[0]], queue, strict=True):
        trace.add("put", task, it)
        trace.add("get", other, it)
        trace.add("wait-began", task, it, "queue.get")
    return trace


def test_the_lesson_is_a_loop_with_its_count():
    assert (
        text_of(producer_sets_pace())
        == """\
sequenceDiagram
    participant L0 as main
    participant L1 as Producer.run
    participant L2 as Consumer.run
    participant L3 as Producer.stop
    L0->>L1: spawn
    L0->>L2: spawn
    L0->>L3: spawn
    Note over L0: gather 21 s
    Note over L1: sleep 2 s
    L1->>L2: queue: put → get
    Note over L2: get(queue) 2 s
    Note over L3: sleep 21 s
    loop 9 times
        Note over L1: sleep 2 s
        L1->>L2: queue: put → get
        Note over L2: get(queue) 2 s to 3 s
    end
    L3->>L2: queue: put → get
    L1-->>L0: result
    L3-->>L0: result
    L2-->>L0: result
"""
    )


def test_a_row_that_repeats_alone_has_its_count_in_its_text():
    trace = TraceBuilder()
    main = trace.task("main")
    for number in range(1000):
        trace.spawn(main, f"Task-{number + 2}", "handle")
    assert text_of(trace).splitlines()[1:] == [
        "    participant L0 as main",
        "    participant L1 as handle ×1000",
        "    L0->>L1: spawn ×1000",
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a;b", "a#59;b"),
        ("a#b", "a#35;b"),
        ("main.<locals>.<lambda>", "main.#60;locals#62;.#60;lambda#62;"),
        ("a\nb\r\n\tc", "a b c"),
        ('say "it"', "say #34;it#34;"),
        ("end", "#101;nd"),
        ("the End of it", "the #69;nd of it"),
        ("endless bend", "endless bend"),
        ("wrap:it", "wrap#58;it"),
        ("nowrap: it", "nowrap#58; it"),
        ("a: b", "a: b"),
        ("style:#a;b", "style#58;#35;a#59;b"),
        ("%%{init: {}}%%", "#37;#37;#123;init: #123;#125;#125;#37;#37;"),
        ("$$x$$", "#36;#36;x#36;#36;"),
        ("a\x00\udc80\x1bb", "a#65533;#65533;#65533;b"),
        ("", "?"),
        ("größe 数 🌱", "größe 数 🌱"),
    ],
)
def test_a_name_is_written_so_that_mermaid_takes_it_as_text(name, written):
    assert text_of(named(name, "x")).splitlines()[1] == f"    participant L0 as {written}"


# Mermaid's own parser


@functools.cache
def parser():
    """The command that reads diagrams as Mermaid does."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so Mermaid cannot be asked")
    folders = [os.environ.get("GREENLOOP_NODE_MODULES"), ROOT / "node_modules"]
    if (npm := shutil.which("npm")) is not None:
        found = subprocess.run([npm, "root", "--global"], capture_output=True, text=True)
        folders.append(found.stdout.strip())
    for folder in folders:
        if folder and (pathlib.Path(folder) / "mermaid").is_dir():
            return [node, str(pathlib.Path(__file__).with_name("mermaid_parser.mjs")), str(folder)]
    return pytest.skip("the npm package mermaid is not installed, so Mermaid cannot be asked")


def read_by_mermaid(texts):
    """The names of participants and the texts of messages that Mermaid reads in each text."""
    result = subprocess.run(
        parser(), input=json.dumps(texts), capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return [
        (
            [plain(name) for name in answer["names"]],
            [plain(each["message"]) for each in answer["messages"] if "message" in each],
        )
        for answer in answers
    ]


def plain(text):
    """A text as Mermaid draws it: its placeholders for codes replaced by the characters."""
    return re.sub("ﬂ°°([0-9]+)¶ß", lambda found: chr(int(found[1])), text)


@pytest.mark.slow
def test_mermaid_reads_the_lesson():
    ((names, messages),) = read_by_mermaid([text_of(producer_sets_pace())])
    assert names == ["main", "Producer.run", "Consumer.run", "Producer.stop"]
    assert [each for each in messages if isinstance(each, str)][:6] == [
        "spawn",
        "spawn",
        "spawn",
        "gather 21 s",
        "sleep 2 s",
        "queue: put → get",
    ]


@pytest.mark.slow
def test_mermaid_reads_any_name():
    ascii_ = [f"a{chr(code)}b{chr(code)}{chr(code)} c" for code in range(33, 127)]
    words = (
        "end End loop opt alt else par and rect note over participant actor as activate title box"
        " autonumber link links wrap: nowrap:x +a -b ->> -->>c : :: sequenceDiagram graph"
        " style:#a;b classDef:#x;y <b>bold</b> <br/> <script> &amp; &lt; #35; #quot; %%x"
        " %%{init} $$y$$ ``` --- ∆ 数 🌱 ﬂ°x¶ß"
    ).split()
    names = [*ascii_, *words, "two  words\nand a line", "x" * 300]
    traces = [named(name, "other") for name in names]
    for name, (read, messages) in zip(
        names, read_by_mermaid([text_of(each) for each in traces]), strict=True
    ):
        shown = " ".join(name.split())
        assert read == [shown, "other"]
        assert messages[0] == f"{shown}: put → get"
        assert f"get({shown}) 3 µs" in messages
        assert f"get({shown}): still waiting after 3 µs" in messages


@pytest.mark.slow
def test_mermaid_reads_loops_in_loops_and_crowds():
    trace = TraceBuilder()
    first, second = trace.task("first"), trace.task("second")
    locks = [trace.resource(f"lock {number}", "lock", "Lock") for number in range(60)]
    for _ in range(5):
        for lock in locks:
            for _ in range(2):
                trace.step(first, ("wait-began", lock, "lock"))
                trace.step(second, ("woken", first, "task"))
    texts = [text_of(trace, most_rows=most) for most in (20, 1000)]
    assert "opt 200 in changing order" in texts[0]
    assert "        loop 2 times" in texts[1]
    for names, messages in read_by_mermaid(texts):
        assert names == ["first", "second"]
        assert "lock 59: release → acquire" in messages
