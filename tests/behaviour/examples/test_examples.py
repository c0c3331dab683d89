"""The examples do the same on asyncio and on Greenloop. The lesson's have a file of their own."""

import pathlib
import signal
import subprocess
import sys

import pytest

from tls_contexts import CERTIFICATE

TLS = pathlib.Path(__file__).resolve().parents[3] / "examples" / "tls"
LAUNCHERS = {"asyncio": (), "greenloop": ("-m", "greenloop")}

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("server_on", LAUNCHERS)
@pytest.mark.parametrize("client_on", LAUNCHERS)
def test_lines_over_tls_are_answered_until_the_server_is_interrupted(server_on, client_on):
    command = [sys.executable, *LAUNCHERS[server_on], TLS / "server.py"]
    server = subprocess.Popen(
        [*command, "--certificate", CERTIFICATE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = server.stdout.readline().removeprefix("listening on port ").strip()
        for _ in range(2):
            assert answers(client_on, port) == [
                "connected with TLSv1.3",
                "three two one",
                "",
                "alone",
            ]
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
    finally:
        server.kill()
        server.wait()
    assert (server.returncode, errors) == (0, "")


def answers(client_on, port):
    command = [sys.executable, *LAUNCHERS[client_on], TLS / "client.py", "--trust", CERTIFICATE]
    result = subprocess.run(
        [*command, "--port", port, "one two three", " ", "alone"],
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
        text=True,
    )
    return result.stdout.splitlines()
