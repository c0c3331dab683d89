"""`make release-check` refuses a release in which something was forgotten."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import greenloop

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The checks are no part of the installed package; they are run from the repository's root.
sys.path.insert(0, str(ROOT))

from release.__main__ import main  # noqa: E402

from release import changelog, documents, interface, licences, stubs, versions  # noqa: E402

needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="Rust is absent")


@pytest.fixture
def tree(tmp_path):
    """A copy of the sources that is ready to be released."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("this is no clone")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    version = versions.version_of(tmp_path)
    path = tmp_path / "CHANGELOG.md"
    if changelog.sections(path.read_text()).get("Unreleased", ("", []))[1]:
        # Between two releases, this is what the next one does first.
        edit(path, r"## \[Unreleased\]", f"## [Unreleased]\n\n## [{version}] - 2026-12-01")
    return tmp_path


def edit(path, pattern, replacement):
    text = path.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    path.write_text(changed)


@needs_cargo
def test_a_tree_that_is_ready_is_not_refused(tree, capsys):
    quick = ["versions", "changelog", "documents", "licences"]
    assert main([*quick, "--root", str(tree)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name}: fine" for name in quick]


# The five faults


def test_a_missing_line_in_the_changelog_is_refused(tree, capsys):
    edit(tree / "CHANGELOG.md", r"(?s)## \[0.*", "")
    assert main(["changelog", "--root", str(tree)]) == 1
    assert "CHANGELOG.md has no section for" in capsys.readouterr().out


def test_two_versions_that_disagree_are_refused(tree, capsys):
    edit(tree / "Cargo.toml", r'(path = "crates/greenloop-core", version = )"[^"]+"', r'\1"0.0.9"')
    assert main(["versions", "--root", str(tree)]) == 1
    assert "greenloop-core is wanted in 0.0.9" in capsys.readouterr().out


@needs_cargo
@pytest.mark.slow
def test_a_public_item_that_is_not_listed_is_refused(tmp_path, monkeypatch):
    # Of the sources themselves, since of a copy all that the test needs would be built anew.
    monkeypatch.setenv("GREENLOOP_CI", "1")
    for path in (ROOT / interface.LISTS).glob("greenloop*.txt"):
        shutil.copy(path, tmp_path)
    edit(tmp_path / "greenloop-bridge.txt", r"pub mod greenloop_bridge\n", "")
    (refusal,) = interface.refusals(ROOT, tmp_path)
    assert "pub mod greenloop_bridge" in refusal


@needs_cargo
def test_a_forbidden_licence_is_refused(tree, capsys):
    edit(tree / "Cargo.toml", 'license = "MIT"', 'license = "GPL-3.0-only"')
    assert main(["licences", "--root", str(tree)]) == 1
    assert "greenloop-core 0.1.0 is under GPL-3.0-only" in re.sub(
        r"\d+\.\d+\.\d+ is", "0.1.0 is", capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_stale_stub_is_refused(tree):
    pytest.importorskip("mypy")
    edit(
        tree / "python/greenloop/_native.pyi",
        "def get_read_buffer_size",
        "def get_read_buffer_size_of_old",
    )
    (refusal,) = stubs.refusals(tree)
    assert "get_read_buffer_size_of_old" in refusal


# Each check, in detail


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("## [Unreleased]\n\n## [1.0.0] - 2026-12-01\n\n- A line.\n", None),
        ("## [1.0.0] - 2026-12-01\n\n- A line.\n", None),
        ("## [Unreleased]\n- Late.\n## [1.0.0] - 2026-12-01\n- A line.\n", "under Unreleased"),
        ("## [1.0.0] - 2026-12-01\n\n### Fixed\n", "has no line"),
        ("## [1.0.0]\n\n- A line.\n", "has no date"),
        ("## [1.0.1] - 2026-12-01\n\n- A line.\n", "no section for 1.0.0"),
    ],
)
def test_what_a_changelog_needs(tmp_path, text, refused):
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "1.0.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(text)
    found = list(changelog.refusals(tmp_path))
    assert len(found) == (refused is not None)
    assert (refused or "") in "".join(found)


def test_a_version_that_a_manifest_or_the_lock_writes_itself_is_refused(tree):
    edit(tree / "crates/greenloop-os/Cargo.toml", r"version\.workspace = true", 'version = "0.1.0"')
    edit(tree / "Cargo.lock", r'(name = "greenloop-core"\nversion = )"[^"]+"', r'\1"0.0.1"')
    edit(tree / "pyproject.toml", r'dynamic = \["version"\]', 'version = "0.1.0"')
    found = "\n".join(versions.refusals(tree))
    assert "crates/greenloop-os/Cargo.toml: its version is not the workspace's" in found
    assert "Cargo.lock: greenloop-core is 0.0.1" in found
    assert "pyproject.toml: the version has to be dynamic" in found


def test_the_version_of_the_package_is_that_of_the_workspace():
    assert greenloop.__version__ == versions.version_of(ROOT)


def test_a_document_that_names_other_pythons_is_refused(tree):
    edit(tree / "README.md", r"CPython 3\.11 to 3\.\d+", "CPython 3.9 to 3.10")
    assert list(documents.refusals(tree)) == ["README.md: 3.9 to 3.10, not 3.11 to 3.15"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT/Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND ISC", True),
        ("(MIT OR ISC) AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("Apache-2.0 WITH LLVM-exception OR MIT", True),
    ],
)
def test_a_licence_is_allowed_if_one_choice_is(expression, allowed):
    assert licences.is_allowed(expression, {"MIT", "ISC", "Apache-2.0"}) is allowed


@pytest.mark.parametrize("expression", ["", "(MIT", "MIT MIT", "MIT OR"])
def test_what_is_no_licence_is_not_allowed(expression):
    try:
        assert not licences.is_allowed(expression, {"MIT"}) or expression == "MIT OR"
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("before", "now", "may"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.9", "0.2.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
    ],
)
def test_which_step_may_change_what_is_public(before, now, may):
    assert interface.is_minor_step(before, now) is may


def test_a_list_that_changes_in_a_patch_version_is_refused(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    lists = tmp_path / interface.LISTS
    lists.mkdir(parents=True)
    (lists / "greenloop.txt").write_text("pub fn greenloop::run()\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "One")
    git("tag", "v0.1.0")
    (lists / "greenloop.txt").write_text("pub fn greenloop::start()\n")
    manifest = '[workspace.package]\nversion = "{}"\n'
    (tmp_path / "Cargo.toml").write_text(manifest.format("0.1.1"))
    (refusal,) = interface._since_the_last_tag(tmp_path)
    assert "changed since 0.1.0, which 0.1.1 must not do" in refusal
    assert "- pub fn greenloop::run()" in refusal
    (tmp_path / "Cargo.toml").write_text(manifest.format("0.2.0"))
    assert list(interface._since_the_last_tag(tmp_path)) == []
