#!/usr/bin/env python3
"""What the spine costs: start, memory, size, own time, throughput, refusals.

    bench/spine.py [--binary target/release/pinhole] [--seconds 10] [--folder DIR] [--json]

Starts the real binary on an empty folder, with a `replay` provider that answers at once, and loads it with wrk over
loopback. Everything is on: authentication, validation, quote, durable transactions, hash, storage, the ledger. Prints
one table; at the end `pinhole ledger check` must be clean. Needs Python 3.9, wrk (apt-get install wrk) and a folder on
a real disk: a tmpfs would make every sync free.
"""

import json
import os
import pathlib
import statistics
import tempfile
import time

from stand import Pinhole, command_line, fdatasync_ms, need_wrk, noise_png

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
"""


def main():
    parser = command_line(__doc__, folder="the data folder")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="figures as JSON besides the table")
    asked = parser.parse_args()
    need_wrk()
    rows = []
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as name:
        folder = pathlib.Path(name).resolve()
        sync = fdatasync_ms(folder)
        rows += start_and_idle(asked.binary, folder)
        rows += load(asked.binary, folder, sync, asked.seconds)
    print(f"{os.cpu_count()} cores, median fdatasync {sync:.2f} ms, {asked.seconds} s a row; wrk on the same cores\n")
    print("| what | measured | goal | |\n|---|--:|--:|---|")
    for what, figure, goal, met, note in rows:
        print(f"| {what} | {figure} | {goal} | {'met' if met else '**missed**'}{'; ' + note if note else ''} |")
    if asked.json:
        print(json.dumps([dict(zip(("what", "figure", "goal", "met", "note"), row)) for row in rows]))


def start_and_idle(binary, folder):
    ready, idle = [], []
    for k in range(7):
        with Pinhole(binary, folder / f"start{k}") as server:
            server.start()
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
    folder = folder / "load"
    with Pinhole(binary, folder, f'[provider.instant]\nkind = "replay"\nimage = "{folder}/picture.png"\n') as server:
        (folder / "picture.png").write_bytes(noise_png(100 * 1024))
        server.write_model("instant", MODEL)
        server.start()
        key = server.key("bench")

        def ask(form, clients, seconds, key=key):
            return server.wrk(POST.format(key=key, form=form), folder, clients, seconds)

        ask("b64_json", 8, 2)
        one = ask("url", 1, seconds)
        many = ask("b64_json", 64, seconds)
        peak = server.memory_mib("VmHWM")
        refused = ask("url", 64, seconds, key[:-1] + ("x" if key[-1] != "x" else "y"))
        server.stop()
        clean = server.ledger_is_clean()
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
        ("ledger after it", "clean" if clean else "NOT CLEAN", "clean", clean,
         f"{many['requests'] + one['requests']} charged requests"),
    ]


if __name__ == "__main__":
    main()
