"""Makes the diagrams of the tutorial: each is a trace of a program of the page that shows it.

`make diagrams` runs this after a program was changed. The pictures are part of the repository, so
that pages can be read without building them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
_PICTURE = re.compile(r"\]\(diagrams/(\w+)\.svg\)")
_FILE = re.compile(r"^```python\n(# ([\w/]+\.py)\n.*?)^```", re.MULTILINE | re.DOTALL)


def programs_of(page: Path) -> dict[str, str]:
    """Return the files that a page has the reader write; of two with one name the later one."""
    return {name: text for text, name in _FILE.findall(page.read_text(encoding="utf-8"))}


def pictures_of(page: Path) -> list[str]:
    """Return the names of the programs whose diagrams a page shows."""
    return _PICTURE.findall(page.read_text(encoding="utf-8"))


def draw(page: Path, name: str, path: Path) -> None:
    """Run a program of a page, and write its diagram in the form that the path's name asks for."""
    with tempfile.TemporaryDirectory() as folder:
        for file, text in programs_of(page).items():
            Path(folder, file).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "greenloop", "trace", "-o", str(path), f"{name}.py"]
        subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=60)


def main() -> None:
    """Draw all diagrams."""
    for page in sorted((DOCS / "tutorial").glob("*.md")):
        for name in pictures_of(page):
            draw(page, name, page.parent / "diagrams" / f"{name}.svg")
            print(f"diagrams/{name}.svg")


if __name__ == "__main__":
    main()
