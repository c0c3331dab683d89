"""Runs an action as soon as a module has been imported, or at once if it has been already.

So a module that a program may or may not use can be changed without importing it for the purpose.
The file itself imports nothing expensive, and nothing of Greenloop's, since it also runs alone, at
the start of interpreters that may never need asyncio (`greenloop.startup`).
"""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def after_import(name: str, action: Callable[[ModuleType], object]) -> None:
    """Call `action(module)` when the module of that name has run, before its importer goes on.

    A module that has been imported already is handed over at once. An exception of the action is an
    exception of the import.
    """
    module = sys.modules.get(name)
    if module is not None:
        action(module)
        return
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _ACTIONS.setdefault(name, []).append(action)


def install_on_demand() -> None:
    """Install Greenloop in this process as soon as asyncio, or Greenloop itself, is imported."""
    after_import("greenloop", lambda greenloop: greenloop.install(whole_process=True))
    # Nothing is left to do if Greenloop itself has imported asyncio.
    after_import("asyncio", lambda _: importlib.import_module("greenloop"))


class _Finder:
    """Finds modules by the other finders, and has the actions run after the import."""

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Other libraries' finders ask the whole list again, as this one does.
        if fullname not in _ACTIONS or fullname in _SOUGHT:
            return None
        _SOUGHT.add(fullname)
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = find(fullname, path, target) if find else None
                if spec is not None:
                    _act_after(spec)
                    return spec
            return None
        finally:
            _SOUGHT.discard(fullname)


def _act_after(spec: ModuleSpec) -> None:
    # The loader keeps its class and its sources; only this one call of it changes.
    loader: Any = spec.loader
    run = getattr(loader, "exec_module", None)
    if run is None:
        return  # A namespace package, or a loader of the old kind: there is nothing to change.

    def exec_module(module: ModuleType) -> None:
        run(module)
        if module.__name__ == spec.name:  # A zip file has one loader for all that is in it.
            for action in _ACTIONS.pop(spec.name, ()):
                action(module)

    loader.exec_module = exec_module


_ACTIONS: dict[str, list[Callable[[ModuleType], object]]] = {}
# Names that are being looked for. The import system lets one thread at a time look for a name.
_SOUGHT: set[str] = set()
_FINDER = _Finder()
