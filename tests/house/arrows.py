"""The arrows between the rooms of the extension, and the circles that its files form.

A room is a folder of `crates/greenloop-python/src`. Rooms stand on floors, and an import climbs if
it leads to a higher floor than its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .rust import Import, imports, module_of, sources

EXTENSION = "greenloop-python"

FLOORS = (
    ("what is taken from asyncio", {"asyncio"}),
    ("kernel: observing", {"observing"}),
    ("kernel: scheduler", {"scheduler"}),
    ("kernel: handle, future", {"handle", "future"}),
    ("kernel: awaitable", {"awaitable"}),
    ("kernel: task", {"task"}),
    ("kernel: any future", {"any_future"}),
    ("event loop", {"event_loop"}),
    ("waiting", {"sync", "queues", "combinators", "scopes"}),
    ("bridge", {"bridge"}),
    ("network", {"sockets", "transports", "tls", "streams", "servers", "datagrams"}),
    ("watching", {"watching"}),
    ("lib", {"lib"}),
)
"""From the lowest to the highest. Rooms of one floor may know each other, but not in a circle of
many files; `bridge` and `network` are beside each other and know nothing of each other."""

STRANGERS = {("bridge", "network"), ("network", "bridge")}

_LEVELS = {room: level for level, (_, rooms) in enumerate(FLOORS) for room in rooms}
_WINGS = {room: name for name, rooms in FLOORS for room in rooms}


def room_of(file: Path) -> str:
    """The folder a file stands in, or `lib`."""
    return file.parts[0] if len(file.parts) > 1 else "lib"


class Tree:
    """The extension's files and what each of them imports, down to the file that has the item."""

    def __init__(self, files: dict[Path, str]) -> None:
        self.files = {module_of(file): file for file in files}
        self.found = list(imports(files))
        self.offered: dict[tuple[str, ...], tuple[str, ...]] = {
            (*module_of(one.file), one.name): one.path for one in self.found if one.public
        }
        self.edges = {(one.file, self.home(one.path)) for one in self._used()}
        self.edges = {(user, home) for user, home in self.edges if user != home}

    def _used(self) -> Iterable[Import]:
        """Imports for a file's own use: what a `mod.rs` only offers again, it does not need."""
        return (one for one in self.found if not (one.public and one.file.name == "mod.rs"))

    def home(self, path: tuple[str, ...]) -> Path:
        """The file in which what the path names is written."""
        seen = set()
        while path in self.offered and path not in seen:
            seen.add(path)
            path = self.offered[path]
        while path not in self.files:
            # Something in a module: perhaps the module's own, perhaps offered on the way.
            if path in self.offered and path not in seen:
                seen.add(path)
                path = self.offered[path]
            elif path[:-1] in self.offered and path[:-1] not in seen:
                seen.add(path[:-1])
                path = (*self.offered[path[:-1]], path[-1])
            else:
                path = path[:-1]
        return self.files[path]

    def climbing(self) -> set[str]:
        """Imports from a lower floor to a higher one, as `file -> room`."""
        return {
            f"{user} -> {room_of(home)}"
            for user, home in self.edges
            if _climbs(room_of(user), room_of(home))
        }

    def arrows(self) -> Counter[tuple[str, str]]:
        """How many files of one room import from another one."""
        between = {(user, room_of(home)) for user, home in self.edges}
        return Counter((room_of(user), room) for user, room in between if room_of(user) != room)

    def circles(self) -> list[list[Path]]:
        """Files that lead to each other, the largest such circle first."""
        neighbours: dict[Path, set[Path]] = {file: set() for file in self.files.values()}
        for user, home in self.edges:
            neighbours[user].add(home)
        circles = [sorted(each) for each in _components(neighbours) if len(each) > 1]
        return sorted(circles, key=len, reverse=True)


def extension() -> Tree:
    """The extension as it stands."""
    return Tree(sources(EXTENSION))


def render(tree: Tree) -> str:
    """Floors from above, with the arrows that leave their rooms; then what breaks the order."""
    arrows = tree.arrows()
    lines = []
    for name, rooms in reversed(FLOORS):
        lines.append(name)
        for room in sorted(rooms):
            targets = sorted(
                (target, count) for (user, target), count in arrows.items() if user == room
            )
            listed = ", ".join(f"{target} ({count})" for target, count in targets)
            lines.append(f"  {room:12} -> {listed or 'nothing'}")
    climbing = sorted(tree.climbing())
    lines += ["", f"{len(climbing)} imports climb:", *(f"  {each}" for each in climbing)]
    circles = tree.circles()
    sizes = ", ".join(str(len(each)) for each in circles) or "none"
    lines += ["", f"circles of files: {sizes}"]
    lines += [f"  {file}" for circle in circles[:1] for file in circle]
    return "\n".join(lines)


def _climbs(user: str, home: str) -> bool:
    strangers = (_WINGS[user], _WINGS[home]) in STRANGERS
    return strangers or _LEVELS[home] > _LEVELS[user]


def _components(neighbours: dict[Path, set[Path]]) -> list[set[Path]]:
    """The strongly connected components, by Tarjan's algorithm without recursion."""
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    found: list[set[Path]] = []
    for start in neighbours:
        if start in index:
            continue
        work = [(start, iter(sorted(neighbours[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while work:
            node, rest = work[-1]
            following = next((each for each in rest if each not in index or each in stack), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set(stack[stack.index(node) :])
                    del stack[stack.index(node) :]
                    found.append(component)
            elif following in index:
                low[node] = min(low[node], index[following])
            else:
                index[following] = low[following] = len(index)
                stack.append(following)
                work.append((following, iter(sorted(neighbours[following]))))
    return found
