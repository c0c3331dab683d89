"""CPython's own tests of asyncio's TLS protocol, which test a class by itself, with ours for it."""

import subprocess
import sys

import pytest

PROGRAM = """\
import unittest
from asyncio import sslproto
from greenloop import _native
sslproto.SSLProtocol = _native.SSLProtocol
from test.test_asyncio import test_sslproto
tests = unittest.defaultTestLoader.loadTestsFromTestCase(test_sslproto.SslProtoHandshakeTests)
result = unittest.TextTestRunner().run(tests)
raise SystemExit(not (result.wasSuccessful() and result.testsRun > 8))
"""


@pytest.mark.slow
def test_cpythons_tests_pass_on_the_native_protocol():
    pytest.importorskip("test.test_asyncio")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
