"""Contexts for tests of TLS: a server that is known by the name of localhost, and its clients."""

import pathlib
import ssl

CERTIFICATE = pathlib.Path(__file__).parent / "certificate.pem"


def server_context(make=ssl.SSLContext):
    context = make(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context(make=ssl.SSLContext):
    context = make(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    return context


# Making one reads and parses the certificate, which takes longer than many a test.
SERVER = server_context()
CLIENT = client_context()
