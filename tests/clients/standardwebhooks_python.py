"""The official library for Python reads what a receiver got: secret, headers and body, as JSON on stdin."""

import json
import sys

from standardwebhooks import Webhook

given = json.load(sys.stdin)
body = bytes(given["body"])
for secret in given["secrets"]:
    assert Webhook(secret).verify(body, given["headers"])["code"] == 200
try:
    Webhook(given["stranger"]).verify(body, given["headers"])
except Exception:
    print("passed")
