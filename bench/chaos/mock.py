#!/usr/bin/env python3
"""A paid upstream that speaks OpenAI's image API and writes down every call it takes.

    mock.py --port 0 --log calls.log --seed 1

One line a call, before anything is answered: the time, the address it came to (`main` or `backup`), the number in the
prompt, what is done about it. What is done follows from seed, number and address alone: mostly a picture after 20 to
800 ms, sometimes a refusal before work (429), a refusal by policy, an error of its own, or a connection that ends
without a word. The picture is `picture(seed, number)`, a PNG that no other call gets, so that an auditor can make it
again. Prints its port when it listens.
"""

import asyncio
import base64
import json
import pathlib
import random
import re
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import listen  # noqa: E402
import stand  # noqa: E402

# What is done about a call, in percent.
MANNERS = [("picture", 90), ("busy", 3), ("policy", 3), ("error", 2), ("hangs_up", 2)]


def picture(seed, number):
    """A PNG of 16 by 16 pixels of noise."""
    noise = random.Random(f"{seed} picture {number}")
    return stand.png(16, noise.randbytes(16 * 16 * 3))


def manner(seed, address, number):
    """What is done about a call, and after how many seconds."""
    chance = random.Random(f"{seed} {address} {number}")
    kinds, weights = zip(*MANNERS)
    kind = chance.choices(kinds, weights)[0]
    return kind, 0 if kind == "busy" else chance.uniform(0.02, 0.8)


class Mock(listen.StandIn):
    def __init__(self, seed, log):
        self.seed, self.log = seed, log

    async def answer(self, _method, path, _headers, body):
        address = path.split("/")[1]
        number = int(re.search(r"chaos (\d+)", json.loads(body)["prompt"]).group(1))
        kind, after = manner(self.seed, address, number)
        self.log.write(f"{time.time():.3f} {address} {number} {kind}\n")
        self.log.flush()
        await asyncio.sleep(after)
        if kind == "hangs_up":
            return None
        status, said = self.reply(kind, number)
        return listen.reply(status, json.dumps(said).encode(), "content-type: application/json")

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


if __name__ == "__main__":
    listen.main(__doc__, Mock)
