"""TLS contexts: whatever one does is done, also when it is of a class of somebody's own."""

import ssl

import pytest
from tls_peers import connect, end

from connections import BufferedRecorder, Recorder, run_until
from tls_contexts import CERTIFICATE, client_context, server_context


def test_protocols_are_negotiated(loop):
    client, server = client_context(), server_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    protocol = Recorder()
    peer = connect(loop, protocol, context=client, peer_context=server)
    chosen = protocol.transport.get_extra_info("ssl_object").selected_alpn_protocol()
    assert chosen == peer.object.selected_alpn_protocol() == "http/1.1"
    end(loop, protocol, peer)


def test_the_callbacks_of_a_context_are_called(loop, tmp_path):
    names = []
    other = server_context()
    server = server_context()

    def choose(ssl_object, name, context):
        names.append((name, context is server))
        ssl_object.context = other

    server.sni_callback = choose
    other.keylog_filename = str(tmp_path / "keys")
    protocol = Recorder()
    peer = connect(loop, protocol, "server", context=server)
    assert names == [("localhost", True)]
    assert protocol.transport.get_extra_info("ssl_object").context is other
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()
    end(loop, protocol, peer)


def test_a_client_shows_its_certificate(loop):
    server = server_context()
    server.load_verify_locations(CERTIFICATE)
    server.verify_mode = ssl.CERT_REQUIRED
    client = client_context()
    client.load_cert_chain(CERTIFICATE)
    protocol = Recorder()
    peer = connect(loop, protocol, "server", context=server, peer_context=client)
    subject = protocol.transport.get_extra_info("peercert")["subject"]
    assert subject == ((("commonName", "localhost"),),)
    end(loop, protocol, peer)


def test_a_session_is_used_again(loop):
    client, server = client_context(), server_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    sessions = []
    for _ in range(2):
        protocol = Recorder()
        if sessions:
            # A program that uses sessions gives them to its own ssl objects.
            session = sessions[0]
            original = client.wrap_bio
            client.wrap_bio = lambda *arguments, **keywords: original(
                *arguments, session=session, **keywords
            )
        peer = connect(loop, protocol, context=client, peer_context=server)
        ssl_object = protocol.transport.get_extra_info("ssl_object")
        sessions.append(ssl_object.session)
        reused = ssl_object.session_reused
        end(loop, protocol, peer)
    assert reused is True


class CountingObject(ssl.SSLObject):
    """An ssl object of a program's own."""

    calls = ()

    def read(self, *arguments):
        self.calls = (*self.calls, "read")
        return super().read(*arguments)

    def write(self, data):
        self.calls = (*self.calls, "write")
        return super().write(data)


@pytest.mark.parametrize("buffered", [False, True], ids=["Protocol", "BufferedProtocol"])
def test_an_ssl_object_of_another_class_is_asked_itself(loop, buffered):
    client = client_context()
    client.sslobject_class = CountingObject
    protocol = Recorder()
    if buffered:
        protocol = BufferedRecorder()
        protocol.get_buffer = lambda hint: protocol.__dict__.setdefault(
            "view", memoryview(bytearray(50_000))
        )
        protocol.buffer_updated = lambda count: protocol.note("data", bytes(protocol.view[:count]))
    peer = connect(loop, protocol, context=client)
    peer.write(b"x" * 40_000)
    peer.send()
    run_until(loop, lambda: sum(len(call[1]) for call in protocol.calls[1:]) == 40_000)
    protocol.transport.write(b"y" * 40_000)
    run_until(loop, lambda: len(peer.read()) == 40_000)
    ssl_object = protocol.transport.get_extra_info("ssl_object")
    assert type(ssl_object) is CountingObject
    assert ssl_object.calls.count("read") >= 3
    assert ssl_object.calls.count("write") >= 1
    end(loop, protocol, peer)


def test_a_context_of_another_class_makes_the_ssl_object(loop):
    made = []

    class Context(ssl.SSLContext):
        def wrap_bio(self, *arguments, **keywords):
            made.append(keywords)
            return super().wrap_bio(*arguments, **keywords)

    protocol = Recorder()
    peer = connect(loop, protocol, context=client_context(Context))
    assert made == [{"server_side": False, "server_hostname": "localhost"}]
    end(loop, protocol, peer)


def test_a_class_that_stands_for_asyncios_is_used(loop, monkeypatch):
    from asyncio import sslproto

    made = []

    class Ours(sslproto.SSLProtocol):
        def __init__(self, *arguments, **keywords):
            made.append(self)
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr(sslproto, "SSLProtocol", Ours)
    protocol = Recorder()
    peer = connect(loop, protocol)
    assert made == [protocol.transport._ssl_protocol]
    end(loop, protocol, peer)
