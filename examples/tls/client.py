"""The client of `server.py`: sends lines over TLS and prints the answers. Plain asyncio.

    python -m greenloop examples/tls/client.py --trust certificate.pem --port 8443 "one two" three

`--trust` names the certificate that is believed; without it, those that the system believes are.
"""

import argparse
import asyncio
import ssl


async def main(options):
    context = ssl.create_default_context(cafile=options.trust)
    reader, writer = await asyncio.open_connection(options.host, options.port, ssl=context)
    print("connected with", writer.get_extra_info("ssl_object").version())
    for line in options.lines:
        writer.write(line.encode() + b"\n")
        await writer.drain()
        print((await reader.readline()).decode().rstrip("\n"))
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Send lines over TLS.")
    parser.add_argument("--trust", help="a file of certificates in PEM format")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("lines", nargs="+")
    asyncio.run(main(parser.parse_args()))
