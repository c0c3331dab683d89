"""What the tests of live reports share: a runtime folder of their own, so they find no other."""

import pytest

from greenloop.watching import place


@pytest.fixture
def runtime_folder(tmp_path_factory, monkeypatch):
    """The folder in which processes listen, for this test only."""
    # Short enough for the path of a socket, whatever the name of the test.
    folder = tmp_path_factory.mktemp("run")
    folder.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    real = place.folders_of
    monkeypatch.setattr(
        place, "folders_of", lambda user: [each for each in real(user) if str(folder) in each]
    )
    return folder
