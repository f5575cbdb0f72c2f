"""What the stand-ins share: a small HTTP server that takes one request after the other on each connection."""

import argparse
import asyncio
import base64
import hashlib
import hmac
import re

BROKEN_OFF = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


async def read_request(reader):
    """Method, path, headers by their names in small letters, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, path, _ = head.split(" ", 2)
    headers = {name.lower(): value for name, value in re.findall(r"(?m)^([\w-]+): *(.*?)\r$", head)}
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", 0)))


def reply(status, body=b"", *headers):
    head = [f"HTTP/1.1 {status} So", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def is_signed(secret, id_, timestamp, signatures, body):
    """The check of Standard Webhooks, but for the age."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}" in (signatures or "").split(" ")


class StandIn:
    """`answer` takes what `read_request` gives and returns a reply, or None to close without a word."""

    async def serve(self, reader, writer):
        try:
            while said := await self.answer(*await read_request(reader)):
                writer.write(said)
                await writer.drain()
        except BROKEN_OFF:
            pass
        finally:
            writer.close()


def main(description, stand_in):
    """A process of its own: `stand_in(seed, log)` serves at a port that is printed."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--seed", type=int, required=True)
    asked = arguments.parse_args()

    async def run(log):
        server = await asyncio.start_server(stand_in(asked.seed, log).serve, "127.0.0.1", asked.port)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    with open(asked.log, "a") as log:
        asyncio.run(run(log))
