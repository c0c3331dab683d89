"""Makes the virtual environment in which the suites run, apart from the project's own."""

import hashlib
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from .suites import CACHE, Suite

# What drives every suite, and what the README's lines are tested with.
TOOLS = ("pytest>=9", "pytest-timeout", "pytest-asyncio")


def create(suites: Iterable[Suite], wheel: Path, name: str = "") -> Path:
    """The interpreter of an environment that holds the suites' packages and Greenloop's wheel.

    Each name has an environment of its own: other suites may need other versions.
    """
    folder = CACHE / f"{name}{sys.implementation.cache_tag}"
    python = folder / "bin" / "python"
    requirements = sorted(
        {*TOOLS, *(need for suite in suites for need in suite.needs)}
        | {suite.package for suite in suites if suite.installed}
    )
    text = "\n".join(requirements) + "\n"
    if not _is_stamped(folder / "packages", text):
        print(f"Installing what the suites need into {folder.relative_to(CACHE.parent)}")
        venv.create(folder, with_pip=True, clear=True)
        listed = folder / "requirements.txt"
        listed.write_text(text)
        _pip_install(python, "--requirement", str(listed))
        # sanic asks for it. Where it is, sanic and uvicorn take it for their loop, and other suites
        # run their tests a second time on it.
        _pip(python, "uninstall", "--yes", "uvloop")
        _stamp(folder / "packages", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if not _is_stamped(folder / "greenloop", digest):
        _pip_install(python, "--force-reinstall", "--no-deps", str(wheel))
        _stamp(folder / "greenloop", digest)
    return python


def _pip_install(python: Path, *arguments: str) -> None:
    _pip(python, "install", *arguments)


def _pip(python: Path, command: str, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", command, "--quiet", *arguments], check=True)


def _is_stamped(path: Path, content: str) -> bool:
    return path.exists() and path.read_text() == content


def _stamp(path: Path, content: str) -> None:
    path.write_text(content)
