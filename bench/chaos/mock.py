#!/usr/bin/env python3
"""A paid upstream that speaks OpenAI's image API and writes down every call it takes.

    mock.py --port 0 --log calls.log --seed 1

One line a call, before anything is answered: the time, the address it came to (`main` or `backup`), the number in the prompt, what
is done about it. What is done follows from seed, number and address alone: mostly a picture after 20 to 800 ms, sometimes a
refusal before work (429), a refusal by policy, an error of its own, or a connection that ends without a word. The picture is
`picture(seed, number)`, a PNG that no other call gets, so that an auditor can make it again. Prints its port when it listens.
"""

import argparse
import asyncio
import base64
import json
import random
import re
import struct
import time
import zlib

# What is done about a call, in percent.
MANNERS = [("picture", 90), ("busy", 3), ("policy", 3), ("error", 2), ("hangs_up", 2)]


def picture(seed, number):
    """A PNG of 16 by 16 pixels of noise."""
    noise = random.Random(f"{seed} picture {number}")
    rows = b"".join(b"\0" + noise.randbytes(16 * 3) for _ in range(16))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def manner(seed, address, number):
    """What is done about a call, and after how many seconds."""
    chance = random.Random(f"{seed} {address} {number}")
    kinds, weights = zip(*MANNERS)
    kind = chance.choices(kinds, weights)[0]
    return kind, 0 if kind == "busy" else chance.uniform(0.02, 0.8)


class Mock:
    def __init__(self, seed, log):
        self.seed, self.log = seed, log

    async def serve(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = int(re.search(r"(?i)content-length: *(\d+)", head).group(1))
        body = json.loads(await reader.readexactly(length))
        address = head.split(" ", 2)[1].split("/")[1]
        number = int(re.search(r"chaos (\d+)", body["prompt"]).group(1))
        kind, after = manner(self.seed, address, number)
        self.log.write(f"{time.time():.3f} {address} {number} {kind}\n")
        self.log.flush()
        await asyncio.sleep(after)
        if kind == "hangs_up":
            return False
        status, reply = self.reply(kind, number)
        text = json.dumps(reply).encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()
        return True

    def reply(self, kind, number):
        def error(type_, code):
            return {"error": {"message": "as the seed says", "type": type_, "param": None, "code": code}}

        if kind == "busy":
            return 429, error("rate_limit_error", "rate_limit_exceeded")
        if kind == "policy":
            return 400, error("image_generation_user_error", "moderation_blocked")
        if kind == "error":
            return 500, error("server_error", "server_error")
        file = base64.b64encode(picture(self.seed, number)).decode()
        return 200, {"created": 1790000000, "data": [{"b64_json": file}]}


async def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--seed", type=int, required=True)
    asked = arguments.parse_args()
    with open(asked.log, "a") as log:
        server = await asyncio.start_server(Mock(asked.seed, log).serve, "127.0.0.1", asked.port)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
