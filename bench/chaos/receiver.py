#!/usr/bin/env python3
"""A receiver of webhooks that writes down each delivery, and fails three in ten: with a 500, or by closing without a word.

    receiver.py --log deliveries.log --seed 1 [--port 0]

One JSON line a delivery: the time, the number in the path, the headers of its signature, the body, and how it was answered. It stops
failing when it is told to, by a GET. Prints its port when it listens.
"""

import argparse
import asyncio
import json
import random
import re
import time


class Receiver:
    def __init__(self, seed, log):
        self.chance, self.log, self.fails = random.Random(f"{seed} receiver"), log, True

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
        if head.startswith("GET"):
            self.fails = False
            return await self.answer(writer, 200)
        headers = dict(re.findall(r"(?m)^([\w-]+): *(.*?)\r$", head))
        headers = {name.lower(): value for name, value in headers.items()}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        answer = self.chance.choices((200, 500, 0), (70, 15, 15) if self.fails else (1, 0, 0))[0]
        line = {"at": time.time(), "number": int(head.split(" ", 2)[1].rsplit("/", 1)[1]), "body": body, "answer": answer}
        line |= {name: headers.get("webhook-" + name) for name in ("id", "timestamp", "signature")}
        # The line is written before the answer: what was answered was received.
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()
        return answer != 0 and await self.answer(writer, answer)

    async def answer(self, writer, status):
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        return True


async def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--seed", type=int, required=True)
    asked = arguments.parse_args()
    with open(asked.log, "a") as log:
        server = await asyncio.start_server(Receiver(asked.seed, log).serve, "127.0.0.1", asked.port)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
