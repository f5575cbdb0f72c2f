"""A server to be hurt: each of its tasks ends at once and is told to a callback."""

import http.client
import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from stand import Pinhole, free_port, png  # noqa: E402

MODEL = """id = "paid"
extends = "sketch"
name = "paid"

[[price]]
unit = "image"
amount = "0.04"
source = "this bench"
date = 2026-11-26

[[target]]
provider = "rehearsal"
model = "paid-upstream"
priority = 0
max_images = 1
[[target.cost]]
unit = "image"
amount = "0.01"
source = "this bench"
date = 2026-11-26
"""


class Site(Pinhole):
    """The server on a fixed port, which clients find again after each restart, with a paid model and a key."""

    def __init__(self, folder, binary):
        self.port = free_port()
        settings = 'min_free_mib = 0\nallow_private_networks = ["127.0.0.0/8"]\n\n'
        settings += '[provider.rehearsal]\nkind = "replay"\n'
        settings += f'image = "{folder}/picture.png"\nlog = "{folder}/calls.log"\ndelay_ms = 5\n'
        super().__init__(binary, folder, settings, listen=f"127.0.0.1:{self.port}")
        (folder / "picture.png").write_bytes(png(16, b"\x30\x60\x90" * 256))
        self.write_model("paid", MODEL)
        self.bearer = self.key("bench")

    def create(self, callback, name):
        """A task; its id. Whoever meets a broken connection asks again under the same name."""
        body = {"model": "paid", "prompt": "a boat", "size": "64x64", "callback_url": callback}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "authorization": f"Bearer {self.bearer}",
            "content-type": "application/json",
            "idempotency-key": name,
        }
        try:
            connection.request("POST", "/api/v1/images/generations", json.dumps(body), headers)
            reply = connection.getresponse()
            told = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status == 200:
            return told["data"]["taskId"]
        if reply.status in (429, 503):
            raise ConnectionError(told["msg"])
        raise SystemExit(f"refused: {reply.status} {told}")
