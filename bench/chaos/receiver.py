#!/usr/bin/env python3
"""A receiver of webhooks that writes down each delivery, and fails three in ten: with a 500, or by hanging up.

    receiver.py --log deliveries.log --seed 1 [--port 0]

One JSON line a delivery: the time, the number in the path, the headers of its signature, the body, and how it was
answered. It stops failing when it is told to, by a GET. Prints its port when it listens.
"""

import json
import pathlib
import random
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import listen  # noqa: E402


class Receiver(listen.StandIn):
    def __init__(self, seed, log):
        self.chance, self.log, self.fails = random.Random(f"{seed} receiver"), log, True

    async def answer(self, method, path, headers, body):
        if method == "GET":
            self.fails = False
            return listen.reply(200)
        status = self.chance.choices((200, 500, 0), (70, 15, 15) if self.fails else (1, 0, 0))[0]
        line = {"at": time.time(), "number": int(path.rsplit("/", 1)[1]), "body": body.decode(), "answer": status}
        line |= {name: headers.get("webhook-" + name) for name in ("id", "timestamp", "signature")}
        # The line is written before the answer: what was answered was received.
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()
        return listen.reply(status) if status else None


if __name__ == "__main__":
    listen.main(__doc__, Receiver)
