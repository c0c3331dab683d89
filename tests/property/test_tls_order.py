"""Random lives of a TLS connection: native TLS does what asyncio's does, call by call.

Both protocols of a pair are driven through the same script: bytes of the peer's come in pieces, the
application writes, pauses, closes and raises, the transport below has room or not and ends. What
each side was told, and how many bytes at once, must be the same.
"""

from asyncio import sslproto

import pytest
from hypothesis import given
from tls_life import Life
from tls_scripts import SCRIPT

from greenloop import _native


@pytest.mark.slow
@given(SCRIPT)
def test_a_connection_lives_as_with_asyncio(script):
    expected = Life(script).run(sslproto.SSLProtocol)
    actual = Life(script).run(_native.SSLProtocol)
    assert actual == expected
