"""A transport that has the habit."""

import pytest
from habits import WELL_ESTABLISHED, received, write_in_pieces

from connections import Recorder


@pytest.fixture
def habitual(loop, peer_of):
    """A transport to which jobs have written in pieces, its protocol and its peer."""
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    loop.run_until_complete(write_in_pieces(protocol.transport))
    assert received(far, 2 * WELL_ESTABLISHED) == b"<>" * WELL_ESTABLISHED
    return protocol, far
