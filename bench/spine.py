#!/usr/bin/env python3
"""What the spine costs: start, memory, size, own time, throughput, refusals.

    bench/spine.py [--binary target/release/pinhole] [--seconds 10] [--folder DIR] [--json]

Starts the real binary on an empty folder, with a `replay` provider that answers at once, and loads it with wrk over
loopback. Everything is on: authentication, validation, quote, durable transactions, hash, storage, the ledger. Prints one
table; at the end `pinhole ledger check` must be clean. Needs Python 3.9, wrk (apt-get install wrk) and a folder on a real
disk: a tmpfs would make every sync free.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib

MODEL = """
id = "instant"
name = "Instant"
description = "Answers at once with a stored picture."
owner = "bench"
modality = "image"
operations = ["generate"]

[[parameter]]
name = "prompt"
type = "string"
required = true
example = "x"
description = "Any text."

[[price]]
unit = "image"
amount = "0.01"
source = "bench"
date = 2026-11-21

[[target]]
provider = "instant"
model = "any"

[[target.cost]]
unit = "image"
amount = "0.008"
source = "bench"
date = 2026-11-21
"""

POST = """
wrk.method = "POST"
wrk.path = "/v1/images/generations"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.body = '{{"model":"instant","prompt":"x","response_format":"{form}"}}'
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def noise_png(size):
    """A PNG of about `size` bytes that does not compress."""
    side = int((size / 3) ** 0.5)
    rows = b"".join(b"\0" + os.urandom(side * 3) for _ in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def fdatasync_ms(folder):
    """The median time of one fdatasync of 4 KiB on this disk, now."""
    path = folder / "sync-probe"
    times = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(300):
            file.write(os.urandom(4096))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e3)
    path.unlink()
    return statistics.median(times)


class Server:
    """The binary under test, on a folder of its own."""

    def __init__(self, binary, folder, config=None):
        self.folder = folder
        command = [binary, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--set", "log=warn"]
        command += ["--config", str(config)] if config else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PINHOLE_")}
        start = time.perf_counter()
        self.process = subprocess.Popen(command, env=environment, stderr=open(folder / "server.log", "ab"))
        self.address = self.wait_until_ready()
        self.ready_ms = (time.perf_counter() - start) * 1e3

    def wait_until_ready(self):
        lock = self.folder / "data" / "engine.lock"
        while True:
            if self.process.poll() is not None:
                sys.exit(f"the server ended: see {self.folder}/server.log")
            try:
                address = lock.read_text().strip()
                if address:
                    urllib.request.urlopen(f"http://{address}/readyz").read()
                    return address
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.0005)

    def memory_mib(self, field):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wrk(self, script, clients, seconds):
        path = self.folder / "load.lua"
        path.write_text(script)
        before = self.cpu_s()
        threads = "1" if clients < 2 else "2"
        command = ["wrk", "-t", threads, "-c", str(clients), "-d", f"{seconds}s", "--timeout", "30s", "-s", str(path),
                   f"http://{self.address}"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        requests, micros, errors, p50, p99 = map(int, re.search(r"RESULT (.*)", output).group(1).split())
        return {"requests": requests, "per_s": requests / (micros / 1e6), "errors": errors, "p50_ms": p50 / 1e3,
                "p99_ms": p99 / 1e3, "cpu_ms": (self.cpu_s() - before) * 1e3 / max(requests, 1)}

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/pinhole")
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--folder", help="where the data folder is made; a real disk", default=".")
    arguments.add_argument("--json", action="store_true", help="figures as JSON besides the table")
    asked = arguments.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    binary = os.path.abspath(asked.binary)
    rows = []
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as name:
        folder = pathlib.Path(name).resolve()
        sync = fdatasync_ms(folder)
        rows += start_and_idle(binary, folder)
        rows += load(binary, folder, sync, asked.seconds)
    print(f"{os.cpu_count()} cores, median fdatasync {sync:.2f} ms, {asked.seconds} s a row; wrk on the same cores\n")
    print("| what | measured | goal | |\n|---|--:|--:|---|")
    for what, figure, goal, met, note in rows:
        print(f"| {what} | {figure} | {goal} | {'met' if met else '**missed**'}{'; ' + note if note else ''} |")
    if asked.json:
        print(json.dumps([dict(zip(("what", "figure", "goal", "met", "note"), row)) for row in rows]))


def start_and_idle(binary, folder):
    ready, idle = [], []
    for k in range(7):
        own = folder / f"start{k}"
        own.mkdir()
        server = Server(binary, own)
        time.sleep(1)
        ready.append(server.ready_ms)
        idle.append(server.memory_mib("VmRSS"))
        server.stop()
    size = os.path.getsize(binary) / 2**20
    start, memory = statistics.median(ready), statistics.median(idle)
    return [
        ("release binary", f"{size:.1f} MiB", "≤ 40 MiB", size <= 40, ""),
        ("start to ready, empty folder", f"{start:.0f} ms", "≤ 150 ms", start <= 150, "median of 7"),
        ("idle memory (RSS)", f"{memory:.1f} MiB", "≤ 32 MiB", memory <= 32, "median of 7"),
    ]


def load(binary, folder, sync, seconds):
    (folder / "picture.png").write_bytes(noise_png(100 * 1024))
    (folder / "catalogue").mkdir()
    (folder / "catalogue" / "instant.toml").write_text(MODEL)
    config = folder / "pinhole.toml"
    config.write_text(f'[provider.instant]\nkind = "replay"\nimage = "{folder}/picture.png"\n')
    server = Server(binary, folder, config)
    made = subprocess.run([binary, "keys", "create", "--name", "bench", "--data", str(folder / "data"), "--json"],
                          capture_output=True, text=True, check=True)
    key = json.loads(made.stdout)["key"]
    server.wrk(POST.format(key=key, form="b64_json"), 8, 2)
    one = server.wrk(POST.format(key=key, form="url"), 1, seconds)
    many = server.wrk(POST.format(key=key, form="b64_json"), 64, seconds)
    peak = server.memory_mib("VmHWM")
    wrong = key[:-1] + ("x" if key[-1] != "x" else "y")
    refused = server.wrk(POST.format(key=wrong, form="url"), 64, seconds)
    server.stop()
    audit = subprocess.run([binary, "ledger", "check", "--data", str(folder / "data")], capture_output=True, text=True)
    bound = 1.5 + 4 * sync
    served = many["errors"] == 0 and one["errors"] == 0
    # Every refusal is a 401, which wrk counts as an error.
    all_refused = refused["errors"] == refused["requests"]
    return [
        ("own time, one client (p50)", f"{one['p50_ms']:.2f} ms", f"≤ {bound:.2f} ms", served and one["p50_ms"] <= bound,
         f"1.5 ms + 4 × {sync:.2f} ms; {one['cpu_ms']:.2f} ms CPU a request"),
        ("100 KiB results, 64 clients", f"{many['per_s']:.0f} /s", "≥ 2000 /s", served and many["per_s"] >= 2000,
         f"p50 {many['p50_ms']:.0f} ms, p99 {many['p99_ms']:.0f} ms, {many['cpu_ms']:.2f} ms CPU a request"),
        ("peak memory after it (RSS)", f"{peak:.0f} MiB", "", True, ""),
        ("malformed keys refused", f"{refused['per_s']:.0f} /s", "≥ 50000 /s", all_refused and refused["per_s"] >= 50000,
         f"{refused['cpu_ms'] * 1e3:.0f} µs CPU a request"),
        ("ledger after it", "clean" if audit.returncode == 0 else "NOT CLEAN", "clean", audit.returncode == 0,
         f"{many['requests'] + one['requests']} charged requests"),
    ]


if __name__ == "__main__":
    main()
