"""A server over TLS that answers each line with its words in reverse order. Plain asyncio.

    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \\
        -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem
    python -m greenloop examples/tls/server.py --port 8443 \\
        --certificate certificate.pem --key key.pem

It says which port it listens on, serves until it is interrupted, and then takes leave of whoever is
still connected.
"""

import argparse
import asyncio
import contextlib
import ssl


async def answer(reader, writer):
    async with contextlib.aclosing(lines_of(reader)) as lines:
        async for line in lines:
            writer.write(b" ".join(reversed(line.split())) + b"\n")
            await writer.drain()
    writer.close()
    # A peer that has gone without saying so is none of the server's business.
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def lines_of(reader):
    """Give the lines of a connection until it ends, however it does."""
    with contextlib.suppress(OSError):
        while line := await reader.readline():
            yield line


async def main(options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    server = await asyncio.start_server(answer, options.host, options.port, ssl=context)
    print("listening on port", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answer lines over TLS.")
    parser.add_argument("--certificate", required=True, help="a file in PEM format")
    parser.add_argument("--key", help="its private key, if that is in another file")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=0, help="any free one unless it is given")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
