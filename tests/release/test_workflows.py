"""The workflows of the forge, which cannot run here, say what the rest of the repository says."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def text_of(path):
    # Without what stands behind a `#`, which are reasons and names of versions.
    return re.sub(r"\s#.*", "", path.read_text())


def test_there_is_a_workflow_for_each_purpose():
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "tests", "wheels"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_pythons_are_the_supported_ones(path):
    makefile = (ROOT / "Makefile").read_text()
    supported = re.search(r"^SUPPORTED := (.*)$", makefile, re.MULTILINE)[1].split()
    for versions in re.findall(r"python: \[(.*)\]", text_of(path)):
        assert re.findall(r"[\d.]+", versions) == supported


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_of_make_exists(path):
    makefile = (ROOT / "Makefile").read_text()
    asked = set(re.findall(r"run: make ([\w-]+)", text_of(path)))
    assert asked - set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE)) == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_held_at_a_commit_and_gets_no_rights_that_it_does_not_need(path):
    text = path.read_text()
    for action in re.findall(r"uses: (\S+)", text):
        assert action.startswith("./") or re.search(r"@[0-9a-f]{40}\Z", action), action
    assert "permissions: {}" in text
    assert "secrets." not in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["zizmor", "--offline", "--no-progress", "--quiet", ".github"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)],
    ],
    ids=lambda command: command[0],
)
def test_the_linter_has_nothing_to_say(command):
    program = pathlib.Path(sys.executable).with_name(command[0])
    if not program.exists():
        pytest.skip(f"{program.name} is absent: `make lint` runs it")
    command = [str(program), *command[1:]]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_template_for_bugs_asks_for_what_the_doctor_says():
    for name in ("bug", "slow"):
        template = (ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text()
        assert "python -m greenloop doctor" in template
