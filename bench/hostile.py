#!/usr/bin/env python3
"""How fast nonsense is refused: hostile bodies and foreign paths, one after the other on one connection.

    bench/hostile.py [--binary target/release/pinhole] [--times 200]

Starts the real binary on an empty folder, sends each body and each path so many times with a test key, and prints
median and 99th percentile from the first byte sent to the last byte received. Every reply must be the right refusal. At
the end there must be no task, and no line of the log at warn or above. Needs Python 3.9 and nothing else.
"""

import http.client
import pathlib
import statistics
import sys
import tempfile
import time

from stand import Pinhole, command_line, percentile

PATHS = [
    "GET /api/v1/models", "GET /api/tags", "GET /v1/props", "GET /props", "GET /version", "POST /api/show",
    "POST /v1/embeddings", "POST /v1/responses", "GET /.env", "GET /wp-login.php",
]


def flat(field):
    return ('{"model":"sketch","prompt":"x",' + field + "}").encode()


def bodies():
    """Name, body, status."""
    keys = "".join(f'"k{k}":1,' for k in range(1_000_000))
    return [
        ("empty", b"", 400),
        ("no object", b"[]", 400),
        ("depth 10 000", flat('"x":' + "[" * 10_000), 400),
        ("5 000 keys", flat("".join(f'"k{k}":1,' for k in range(5_000)) + '"z":1'), 400),
        ("a million keys (12 MB)", flat(keys + '"z":1'), 413),
        ("a key twice", flat('"prompt":"y"'), 400),
        ("a lone surrogate", flat(r'"user":"\ud800"'), 400),
        ("NaN", flat('"n":NaN'), 400),
        ("1e309", flat('"n":1e309'), 400),
        ("n = 2^63", flat('"n":9223372036854775808'), 400),
        ("n = -1", flat('"n":-1'), 400),
        ("n = 1.5", flat('"n":1.5'), 400),
        ("a text of 1 MB", flat('"negative_prompt":"' + "x" * 1_000_000 + '"'), 400),
        ("a text above 1 MiB", flat('"user":"' + "x" * (1 << 20) + '"'), 413),
        ("a number of 100 000 digits", flat('"n":' + "9" * 100_000), 400),
        ("10 000 unknown values", flat('"x":[' + "1," * 9_990 + "1]"), 400),
        ("NUL", flat('"user":"\0"'), 400),
        ("byte order mark", b"\xef\xbb\xbf" + flat('"n":1'), 400),
        ("UTF-16", flat('"n":1').decode().encode("utf-16"), 400),
        ("something behind it", flat('"n":1') + b"x", 400),
        ("cut off", flat('"n":1')[:-1], 400),
        ("base64 that is none (1 MB)", flat('"image":"' + "A" * 1_000_000 + '*"'), 400),
    ]


def measure(port, times, method, path, headers, body, status):
    """Median and 99th percentile in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        text = reply.read()
        taken.append((time.perf_counter() - begin) * 1000)
        if reply.status != status:
            sys.exit(f"{method} {path}: {reply.status} instead of {status}: {text[:300]}")
    connection.close()
    return statistics.median(taken), percentile(taken, 0.99)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--times", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Pinhole(asked.binary, pathlib.Path(folder), log="info") as server:
        server.start()
        measure_all(server, asked.times)
        server.stop()
        log = (server.folder / "server.log").read_text()
    loud = [line for line in log.splitlines() if any(word in line for word in ("WARN", "ERROR", "panicked"))]
    # Every accepted call is a line of the log.
    accepted = [line for line in log.splitlines() if "accepted" in line]
    if loud or accepted:
        sys.exit("\n".join(loud + accepted))


def measure_all(server, times):
    port = int(server.address.rsplit(":", 1)[1])
    key = (server.data / "test-key").read_text().strip()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    print("| what | status | p50 ms | p99 ms |\n|---|---|---|---|")
    for name, body, status in bodies():
        p50, p99 = measure(port, times, "POST", "/v1/images/generations", headers, body, status)
        print(f"| {name} | {status} | {p50:.2f} | {p99:.2f} |", flush=True)
    for line in PATHS:
        method, path = line.split()
        p50, p99 = measure(port, times, method, path, headers, b"{}", 404)
        print(f"| {line} | 404 | {p50:.2f} | {p99:.2f} |", flush=True)


if __name__ == "__main__":
    main()
