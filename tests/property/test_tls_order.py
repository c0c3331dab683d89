"""Random lives of a TLS connection: native TLS does what asyncio's does, call by call.

Both protocols of a pair are driven through the same script: bytes of the peer's come in pieces, the
application writes, pauses, closes and raises, the transport below has room or not and ends. What
each side was told, and how many bytes at once, must be the same.
"""

import ssl
from asyncio import sslproto

import pytest
from hypothesis import example, given
from tls_life import Life
from tls_scripts import SCRIPT, Script

from greenloop import _native

# `get_buffer` of the protocol replaces it by one without buffers, and is told of what was read.
REPLACED_DURING_A_READ = Script(
    server_side=False,
    buffered=True,
    room=1,
    connected=True,
    steps=[("peer sends", 1, 1)] * 12,
    reactions={("get_buffer", 2): ("set_protocol", False)},
    version=ssl.TLSVersion.TLSv1_2,
    subclass=False,
    debug=False,
)


@pytest.mark.slow
@given(SCRIPT)
@example(REPLACED_DURING_A_READ)
def test_a_connection_lives_as_with_asyncio(script):
    expected = Life(script).run(sslproto.SSLProtocol)
    actual = Life(script).run(_native.SSLProtocol)
    assert actual == expected
