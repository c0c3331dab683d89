"""TLS handshakes, most of which fail: who learns of it, how, and that no connection stays."""

import logging
import socket
import ssl

import pytest
from tls_peers import SIDES, begin, connect, end

from connections import Recorder, raising, run, run_until
from tls_contexts import CLIENT, SERVER, client_context, server_context


def failure(loop, side, exception, **options):
    """The error that a handshake fails with."""
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, **options)

    def over():
        try:
            peer.handshake()
        except (ssl.SSLError, OSError):
            pass
        return task.done()

    run_until(loop, over)
    with pytest.raises(exception) as raised:
        task.result()
    run(loop)
    assert protocol.calls == []
    peer.socket.close()
    return raised.value


def test_a_certificate_for_somebody_else_is_refused(loop, reports):
    error = failure(loop, "client", ssl.SSLCertVerificationError, server_hostname="elsewhere")
    assert "Hostname mismatch" in str(error)
    assert reports == []


def test_a_certificate_that_nobody_vouches_for_is_refused(loop, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    error = failure(loop, "client", ssl.SSLCertVerificationError, context=context)
    assert "self-signed certificate" in str(error)
    assert reports == []


def test_a_server_learns_that_its_certificate_was_refused(loop, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    error = failure(loop, "server", (ssl.SSLError, ConnectionResetError), peer_context=context)
    assert isinstance(error, OSError)
    assert reports == []


def test_peers_without_a_version_in_common_do_not_agree(loop):
    client, server = client_context(), server_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    failure(loop, "client", (ssl.SSLError, OSError), context=client, peer_context=server)


@SIDES
def test_a_peer_that_does_not_speak_tls_is_refused(loop, reports, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    peer.socket.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    run_until(loop, task.done)
    with pytest.raises(ssl.SSLError):
        task.result()
    assert protocol.calls == [] and reports == []
    peer.socket.close()


@SIDES
def test_a_peer_that_goes_away_in_the_handshake_is_a_reset(loop, reports, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    peer.socket.close()
    run_until(loop, task.done)
    with pytest.raises(OSError) as raised:
        task.result()
    assert type(raised.value) in (ConnectionResetError, BrokenPipeError)
    run(loop)
    assert protocol.calls == [] and reports == []


@SIDES
def test_a_handshake_that_takes_too_long_is_given_up(loop, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, ssl_handshake_timeout=0.01)
    run_until(loop, task.done)
    with pytest.raises(ConnectionAbortedError) as raised:
        task.result()
    assert str(raised.value) == (
        "SSL handshake is taking longer than 0.01 seconds: aborting the connection"
    )
    run(loop)
    assert protocol.calls == []
    assert peer.near.fileno() == -1
    peer.socket.close()


@SIDES
@pytest.mark.parametrize("timeout", [0, -1, 0.0, -0.5])
@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_a_timeout_must_be_positive(loop, side, name, timeout):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, **{name: timeout})
    run_until(loop, task.done)
    with pytest.raises(ValueError, match=f"^{name} should be a positive number, got {timeout}$"):
        task.result()
    peer.near.close()
    peer.socket.close()


@SIDES
def test_a_connection_that_nobody_waits_for_any_more_is_closed(loop, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    task.cancel()
    run_until(loop, task.done)
    assert task.cancelled()
    run(loop)
    assert peer.near.fileno() == -1
    assert protocol.calls == []
    peer.socket.close()


def test_a_connection_made_that_raises_ends_the_connection(loop, reports):
    error = ValueError("expected")
    protocol = Recorder(made=raising(error))
    peer, task = begin(loop, protocol, "client")
    run_until(loop, lambda: (peer.handshake(), task.done())[1])
    with pytest.raises(ValueError, match="expected"):
        task.result()
    run(loop)
    assert protocol.calls == [("made",), ("lost", error)]
    assert [report["message"] for report in reports] == [
        "Fatal error: protocol.buffer_updated() call failed."
    ]
    peer.socket.close()


def test_a_protocol_factory_that_raises_leaves_no_connection(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    with pytest.raises(ValueError, match="expected"):
        loop.run_until_complete(
            loop.create_connection(
                raising(ValueError("expected")), sock=near, ssl=CLIENT, server_hostname="localhost"
            )
        )
    near.close()
    far.close()


def test_a_server_reports_a_protocol_factory_that_raises(loop, reports):
    # It does so in debug mode only.
    loop.set_debug(True)
    server = loop.run_until_complete(
        loop.create_server(raising(ValueError("expected")), "127.0.0.1", 0, ssl=SERVER)
    )
    with socket.create_connection(server.sockets[0].getsockname()):
        run_until(loop, lambda: reports)
    assert str(reports[0]["exception"]) == "expected"
    assert reports[0]["message"] == "Error on transport creation for incoming connection"
    server.close()
    loop.run_until_complete(server.wait_closed())


def test_the_handshake_is_logged_in_debug_mode(loop, caplog):
    loop.set_debug(True)
    with caplog.at_level(logging.DEBUG, "asyncio"):
        protocol = Recorder()
        peer = connect(loop, protocol)
        end(loop, protocol, peer)
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.endswith(" starts SSL handshake") for message in messages)
    assert any(": SSL handshake took " in message for message in messages)
