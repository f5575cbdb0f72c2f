"""A receiver of Pinhole's callbacks that believes nothing unsigned. Needs Python alone.

WEBHOOK_SECRET=$(pinhole webhook secret show) python3 receiver.py 8090
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


def is_signed(headers, body: bytes) -> bool:
    """Over the bytes as they came, before anything has parsed them."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not message_id or not timestamp or abs(time.time() - int(timestamp)) > 300:
        return False  # what is older may be a recording
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    # Two signatures stand there while secrets change.
    given = (one.removeprefix("v1,") for one in headers["webhook-signature"].split(" "))
    return any([hmac.compare_digest(one, expected) for one in given])


class Receiver(BaseHTTPRequestHandler):
    seen = set()  # a receiver that matters keeps these where a restart finds them

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not is_signed(self.headers, body):
            return self.answer(401)
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            data = json.loads(body)["data"]
            links = json.loads(data["resultJson"])["resultUrls"] if data["resultJson"] else []
            print(data["taskId"], data["state"], *links, flush=True)
        self.answer(204)  # anything but 2xx and it comes again

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print("listening on", server.server_port, flush=True)
server.serve_forever()
