"""A server to be hurt: its folder, its process, and what clients say to it. The standard library alone."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import time
import zlib
from pathlib import Path

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


def png(side=16):
    """A picture of one colour."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x30\x60\x90" * side) * side
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Site:
    def __init__(self, folder, binary):
        self.folder, self.binary = Path(folder), str(binary)
        self.data = self.folder / "data"
        self.port = free_port()
        self.process = None
        (self.folder / "catalogue").mkdir(parents=True)
        (self.folder / "catalogue" / "paid.toml").write_text(MODEL)
        (self.folder / "picture.png").write_bytes(png())
        (self.folder / "pinhole.toml").write_text(
            f'listen = "127.0.0.1:{self.port}"\nmin_free_mib = 0\nlog = "warn"\n'
            'allow_private_networks = ["127.0.0.0/8"]\n\n[provider.rehearsal]\nkind = "replay"\n'
            f'image = "{self.folder}/picture.png"\nlog = "{self.folder}/calls.log"\ndelay_ms = 5\n'
        )
        made = self.run("keys", "create", "--name", "bench", "--json")
        self.key = json.loads(made)["key"]

    def arguments(self, *words):
        return [self.binary, *words, "--data", str(self.data), "--config", str(self.folder / "pinhole.toml")]

    def run(self, *words):
        return subprocess.run(self.arguments(*words), check=True, capture_output=True, text=True, env={}).stdout

    def start(self):
        log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(self.arguments("serve"), stdout=log, stderr=log, env={})
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise SystemExit(f"the server did not start; see {self.folder}/server.log")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def create(self, callback, name):
        """A task; its id. Whoever meets a broken connection asks again under the same name."""
        body = {"model": "paid", "prompt": "a boat", "size": "64x64", "callback_url": callback}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "authorization": f"Bearer {self.key}",
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

    def rows(self):
        rows = sqlite3.connect(f"file:{self.data}/pinhole.db?mode=ro", uri=True, timeout=10)
        rows.row_factory = sqlite3.Row
        return rows

    def resident_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


def is_signed(secret, headers, body):
    """The check of Standard Webhooks, but for the age."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(one == f"v1,{expected}" for one in headers["webhook-signature"].split(" "))


def binary(argument):
    path = Path(argument or Path(__file__).parents[2] / "target/release/pinhole").resolve()
    if not os.access(path, os.X_OK):
        raise SystemExit(f"build it first: cargo build --release ({path} is not there)")
    return path
