"""The suites, as suites.toml describes them, and where everything of theirs is kept."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
# What is put into the interpreters of the suites.
INSIDE = FOLDER / "inside"
# Ignored by git, like everything that is built: source distributions and environments.
CACHE = ROOT / "target" / "peers"

ASYNCIO = "asyncio"
GREENLOOP = "greenloop"
LOOPS = (ASYNCIO, GREENLOOP)


@dataclass(frozen=True)
class Suite:
    """One suite; the fields are explained in suites.toml."""

    name: str
    package: str
    source: str = ""
    installed: bool = True
    needs: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    strict: bool = False
    # Where the tests are, seen from the suite's folder.
    tests: tuple[str, ...] = ("tests",)
    server: str = ""
    programs: tuple[str, ...] = ()
    in_turn: bool = False

    @property
    def version(self) -> str:
        return self.package.partition("==")[2]


def read(
    path: Path = FOLDER / "suites.toml", known: Mapping[str, Suite] | None = None
) -> dict[str, Suite]:
    """The suites by name, in the order of the file.

    Of a suite that is known already, an entry says only what differs.
    """
    suites = {}
    for name, entry in tomllib.loads(path.read_text()).items():
        lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
        fields = {**entry, **lists}
        if known is not None and name in known:
            suites[name] = replace(known[name], **fields)
        else:
            suites[name] = Suite(name, **fields)
    return suites
