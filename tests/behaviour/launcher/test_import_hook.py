"""`after_import`: an action runs once the module has, whatever the loader."""

import importlib
import sys
import zipfile

import pytest

from greenloop.import_hook import after_import


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on `sys.path`, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        del sys.modules[name]


def test_an_action_sees_the_module_when_it_has_run_and_before_its_importer(folder):
    (folder / "imported_a.py").write_text("value = 1")
    seen = []

    def action(module):
        seen.append(module.value)
        module.value = 2

    after_import("imported_a", action)
    namespace = {}
    exec("from imported_a import value", namespace)
    assert (seen, namespace["value"]) == ([1], 2)
    module = importlib.reload(sys.modules["imported_a"])
    assert (seen, module.value) == ([1], 1)


def test_a_module_that_is_there_already_is_handed_over_at_once():
    seen = []
    after_import("sys", seen.append)
    assert seen == [sys]


def test_a_module_keeps_its_loader_and_its_source(folder):
    (folder / "imported_b.py").write_text("value = 1")
    after_import("imported_b", lambda module: None)
    module = importlib.import_module("imported_b")
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert module.__loader__.get_source("imported_b") == "value = 1"


def test_other_modules_of_the_same_zip_file_are_left_alone(folder, monkeypatch):
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        archive.writestr("zipped_c.py", "import zipped_d; value = zipped_d.value")
        archive.writestr("zipped_d.py", "value = 3")
    monkeypatch.syspath_prepend(str(folder / "some.zip"))
    seen = []
    after_import("zipped_c", lambda module: seen.append((module.__name__, module.value)))
    importlib.import_module("zipped_c")
    assert seen == [("zipped_c", 3)]


def test_a_finder_that_asks_all_finders_finds_an_end(folder, monkeypatch):
    (folder / "imported_e.py").write_text("")
    sought = []

    class Asking:
        """Asks the whole list again, as the hooks of tracing products do."""

        def find_spec(self, name, path=None, target=None):
            if name in sought:
                return None
            sought.append(name)
            return importlib.util.find_spec(name)

    monkeypatch.setattr(sys, "meta_path", [Asking(), *sys.meta_path])
    seen = []
    after_import("imported_e", seen.append)
    module = importlib.import_module("imported_e")
    assert [*dict.fromkeys(seen)] == [module]


def test_a_module_that_cannot_be_found_is_missed_as_ever():
    after_import("imported_nowhere", lambda module: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'imported_nowhere'"):
        importlib.import_module("imported_nowhere")
