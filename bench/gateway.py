#!/usr/bin/env python3
"""What a picture costs on its way through Pinhole, beside nginx as a plain reverse proxy.

    bench/gateway.py [--binary target/release/pinhole] [--mock target/release/examples/openai_mock]
                     [--seconds 3] [--rounds 3] [--only ROW] [--folder DIR] [--json FILE]

Starts a stand-in for OpenAI (`examples/openai_mock`, which serves each picture from memory), nginx and the release binary
on loopback and loads both in turn with wrk. Pinhole has everything on: a live key, a prepaid account, validation, quote,
durable transactions, decode, hash, storage. Prints one table; `pinhole ledger check` must be clean at the end. Needs
Python 3.9, wrk, nginx (skipped if it is missing) and a folder on a real disk. README.md says how it measures.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import spine

MIB = 1024 * 1024
TEXT = {"100K": 100 * 1024, "1.5M": 3 * MIB // 2, "6M": 6 * MIB}
MODEL = "gpt-image-2"
PATH = "/v1/images/generations"
UPLOAD_CLIENTS, UPLOAD_BYTES = 100, 3 * MIB
ROWS = ["cpu-1.5M", "cpu-100K", "peak-1.5M", "peak-6M", "added", "events", "edits", "uploads"]

NGINX = """
worker_processes 1;
daemon off;
pid {run}/nginx.pid;
error_log {run}/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {run}/nginx-body; proxy_temp_path {run}/nginx-proxy; fastcgi_temp_path {run}/nginx-fastcgi;
    uwsgi_temp_path {run}/nginx-uwsgi; scgi_temp_path {run}/nginx-scgi;
    client_max_body_size 64m;
    client_body_buffer_size 2m;
    keepalive_requests 1000000;
    upstream images {{ server {upstream}; keepalive 512; keepalive_requests 1000000; }}
    map $http_authorization $allowed {{ default 0; "Bearer {key}" 1; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /v1/ {{
            if ($allowed = 0) {{ return 401; }}
            proxy_pass http://images;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer sk-upstream";
            proxy_buffering off;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""

POST = """
wrk.method = "POST"
wrk.path = "{path}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.body = '{body}'
done = function(summary, latency, requests)
  local wrong = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.bytes, summary.duration, wrong,
    latency:percentile(50), latency:percentile(99)))
end
"""


# --- where things run ---------------------------------------------------------------------------

@contextlib.contextmanager
def on(cpus):
    """What is started within has these processors, if there are two to be had."""
    before = os.sched_getaffinity(0)
    if cpus and len(before) > 1:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processors():
    """The gateway's one, and those of the mock and of the load."""
    all_of_them = sorted(os.sched_getaffinity(0))
    return ({all_of_them[-1]}, set(all_of_them[:-1])) if len(all_of_them) > 1 else (None, None)


class Gateway:
    """What stands between the client and the upstream, or the upstream itself."""

    def __init__(self, name, address, key, processes):
        self.name, self.address, self.key, self.processes = name, address, key, processes

    def pids(self):
        """Its processes and their children: nginx works in one."""
        pids = [process.pid for process in self.processes]
        for pid in list(pids):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                pids += [int(word) for word in (task / "children").read_text().split()]
        return pids

    def cpu_s(self):
        ticks = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        status = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) for text in status) / 1024

    def reset_peak(self):
        for pid in self.pids():
            with contextlib.suppress(OSError):  # the peak is then that since the start
                pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def load(self, folder, size, clients, seconds):
        """So many clients, each with one request under way at any time."""
        body = json.dumps({"model": MODEL, "prompt": f"[mock:text={TEXT[size]}]", "n": 1})
        script = folder / f"{self.name}.lua"
        script.write_text(POST.format(path=PATH, key=self.key, body=body))
        command = ["wrk", "-t", "1", "-c", str(clients), "-d", f"{seconds}s", "--timeout", "60s", "-s", str(script),
                   f"http://{self.address}"]
        self.reset_peak()
        before = self.cpu_s()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        spent = self.cpu_s() - before
        requests, taken, micros, wrong, p50, p99 = map(int, re.search(r"RESULT (.*)", output).group(1).split())
        # wrk counts what was read of replies that the end cut off.
        if wrong or not requests or taken < requests * TEXT[size]:
            sys.exit(f"{self.name}: {wrong} wrong replies of {requests}, {taken} bytes; {size}, {clients} clients")
        return {"cpu_per_1000": spent * 1000 / requests, "peak_mib": self.peak_mib(), "p50_ms": p50 / 1e3,
                "p99_ms": p99 / 1e3, "per_s": requests / (micros / 1e6), "requests": requests,
                "cores": spent / (micros / 1e6)}

    def post(self, path, body, content_type, timeout=60):
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        if not isinstance(body, (str, bytes)):
            headers["Content-Length"] = str(sum(map(len, body)))
        connection.request("POST", path, body, headers)
        return connection.getresponse()


@contextlib.contextmanager
def running(command, log):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(log, "ab"), stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def mock(binary, folder, cpus):
    with on(cpus), running([binary, "--listen", "127.0.0.1:0", "--key", "sk-upstream"], folder / "mock.log") as process:
        line = process.stdout.readline().decode()
        yield Gateway("direct", re.search(r"//([^/]*)/", line).group(1), "sk-upstream", [process])


@contextlib.contextmanager
def nginx(folder, upstream, cpus):
    program = shutil.which("nginx") or next((p for p in ["/usr/sbin/nginx"] if os.path.exists(p)), None)
    if not program:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(run=folder, upstream=upstream, port=port, key="sk-bench"))
    command = [program, "-e", str(folder / "nginx-error.log"), "-c", str(config)]
    with on(cpus), running(command, folder / "nginx.log") as process:
        wait_for(("127.0.0.1", port), process)
        yield Gateway("nginx", f"127.0.0.1:{port}", "sk-bench", [process])


def wait_for(address, process):
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(address):
            return
        time.sleep(0.01)
    sys.exit("nginx ended: see its log")


@contextlib.contextmanager
def pinhole(binary, folder, upstream, cpus):
    """A fresh data folder, a prepaid account with money, a live key."""
    own = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix="pinhole-"))
    config = own / "pinhole.toml"
    config.write_text(f'[provider.openai]\nkind = "openai"\nbase_url = "http://{upstream}/v1"\napi_key = "sk-upstream"\n'
                      'proxy = "none"\n')
    with on(cpus):
        server = spine.Server(binary, own, config)
    data = ["--data", str(own / "data")]

    def run(*words):
        return subprocess.run([binary, *words, *data], capture_output=True, text=True, check=True).stdout

    try:
        run("accounts", "create", "bench")
        run("credits", "grant", "bench", "1000000")
        key = json.loads(run("keys", "create", "--name", "bench", "--account", "bench", "--json"))["key"]
        yield Gateway("pinhole", server.address, key, [server.process])
        server.stop()
        run("ledger", "check")
    finally:
        # The folder goes with all others at the end: ext4 looks longer for a free inode for a minute after many deletions.
        server.process.kill()
        server.process.wait()


# --- what is measured ---------------------------------------------------------------------------

def events_at_once(gateway, upstream):
    """Three events, of which the upstream sends each one only when the one before it has reached the client."""
    body = json.dumps({"model": MODEL, "prompt": f"[mock:gate][mock:text={TEXT['100K']}]", "stream": True,
                       "partial_images": 2})
    def go():
        gate = http.client.HTTPConnection(upstream.address, timeout=10)
        gate.request("POST", "/mock/go")
        gate.getresponse().read()

    seen, came = b"", 0
    try:
        go()
        reply = gateway.post(PATH, body, "application/json", timeout=10)
        if reply.status != 200:
            return f"no ({reply.status})"
        while came < 3 and (chunk := reply.read1(65536)):
            seen += chunk
            while (end := seen.find(b"\n\n")) >= 0:
                if b"b64_json" in seen[:end]:
                    came += 1
                    if came < 3:
                        go()
                seen = seen[end + 2:]
    except OSError as error:
        return f"no ({type(error).__name__} after {came})"
    return "yes" if came == 3 else f"no ({came} of 3)"


def png(size, mark):
    """A PNG of exactly this size: one colour, and a chunk of noise that decoders pass over."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 512, 512, 8, 2, 0, 0, 0))
    head += chunk(b"IDAT", zlib.compress(b"\0" * (512 * (512 * 3 + 1))))
    end = chunk(b"IEND", b"")
    noise = struct.pack(">I", mark) + os.urandom(size - len(head) - len(end) - 16)
    return head + chunk(b"noIs", noise) + end


def form(pictures, text="100K"):
    """A multipart edit, as pieces: nobody has to join them."""
    boundary = "bench-boundary-7f3a9c"
    field = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    fields = {"model": MODEL, "prompt": f"[mock:text={TEXT[text]}]"}
    pieces = ["".join(f'{field}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()).encode()]
    name = "image" if len(pictures) == 1 else "image[]"
    for picture in pictures:
        pieces += [f'{field}{name}"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'.encode(), picture, b"\r\n"]
    return pieces + [f"--{boundary}--\r\n".encode()], f"multipart/form-data; boundary={boundary}"


def json_form(texts, text="100K"):
    """The same as JSON with `data:` URLs."""
    head = json.dumps({"model": MODEL, "prompt": f"[mock:text={TEXT[text]}]"})[:-1] + ', "images": ['
    pieces = [head.encode()]
    for number, base64 in enumerate(texts):
        comma = b"," if number else b""
        pieces += [comma + b'{"image_url": "data:image/png;base64,', base64, b'"}']
    return pieces + [b"]}"], "application/json"


def edits_pass(gateway):
    body, kind = form([png(MIB, 0)])
    reply = gateway.post("/v1/images/edits", b"".join(body), kind)
    text = reply.read()
    whole = reply.status == 200 and len(json.loads(text)["data"][0]["b64_json"]) == TEXT["100K"]
    return "yes" if whole else f"no ({reply.status})"


def uploads(gateway, body, kind):
    """A hundred clients at once, each with one large body. Every one must be served."""
    statuses, begun = [], threading.Barrier(UPLOAD_CLIENTS)

    def client():
        try:
            begun.wait()
            reply = gateway.post("/v1/images/edits", body, kind, timeout=280)
            text = reply.read()
            statuses.append(reply.status if b"b64_json" in text else f"{reply.status}: {text[:200]!r}")
        except OSError as error:
            statuses.append(repr(error))

    gateway.reset_peak()
    before, start = gateway.cpu_s(), time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(UPLOAD_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served = statuses.count(200)
    wrong = next((status for status in statuses if status != 200), None)
    return {"served": served, "wrong": wrong, "peak_mib": gateway.peak_mib(), "seconds": time.monotonic() - start,
            "cpu_s": gateway.cpu_s() - before, "mib": UPLOAD_CLIENTS * sum(map(len, body)) / MIB}


class Bench:
    """Rounds of cells; each figure is the median of its rounds."""

    def __init__(self, asked, folder):
        self.asked, self.folder = asked, folder
        self.own, self.others = processors()
        self.cells, self.told = {}, {}

    def wants(self, *rows):
        return not self.asked.only or any(row in self.asked.only for row in rows)

    def cell(self, gateway, size, clients):
        got = gateway.load(self.folder, size, clients, self.asked.seconds)
        self.cells.setdefault((gateway.name, size, clients), []).append(got)
        print(f"  {gateway.name:8} {size:>5} c={clients:<4} {got['cpu_per_1000']:6.2f} CPU s / 1000  "
              f"{got['per_s']:8.0f} /s  p50 {got['p50_ms']:8.2f} ms  peak {got['peak_mib']:6.1f} MiB  "
              f"{got['cores']:.2f} cores", file=sys.stderr)

    def round(self, upstream, proxy):
        with pinhole(self.asked.binary, self.folder, upstream.address, self.own) as own:
            both = [gateway for gateway in (proxy, own) if gateway]
            with on(self.others):
                for gateway in [upstream, *both]:
                    gateway.load(self.folder, "1.5M", 4, 1)  # nothing of it counts
                if self.wants("added"):
                    for gateway in [upstream, *both]:
                        self.cell(gateway, "1.5M", 1)
                for row, size, clients in [("cpu-1.5M", "1.5M", 32), ("cpu-100K", "100K", 32),
                                           ("peak-1.5M", "1.5M", 256), ("peak-6M", "6M", 32)]:
                    for gateway in both if self.wants(row) else []:
                        self.cell(gateway, size, clients)
                for gateway in both:
                    if self.wants("events"):
                        self.told[gateway.name, "events"] = events_at_once(gateway, upstream)
                    if self.wants("edits"):
                        self.told[gateway.name, "edits"] = edits_pass(gateway)

    def uploads(self, upstream):
        """Sixteen images of a form; fifteen as JSON, because sixteen are more than its 64 MiB as base64."""
        import base64
        pictures = [png(UPLOAD_BYTES, mark) for mark in range(16)]
        texts = [base64.b64encode(picture) for picture in pictures[:15]]
        bodies = {"multipart": form(pictures), "JSON": json_form(texts)}
        for name, (body, kind) in bodies.items():
            with pinhole(self.asked.binary, self.folder, upstream.address, self.own) as own:
                with on(self.others):
                    self.told["pinhole", f"uploads {name}"] = got = uploads(own, body, kind)
                print(f"  pinhole  uploads, {name}: {got}", file=sys.stderr)

    def median(self, name, size, clients, what):
        cells = self.cells.get((name, size, clients))
        return statistics.median(cell[what] for cell in cells) if cells else None

    def table(self, sync):
        rows = []

        def add(what, figures, own, goal, met, note=""):
            shown = [figures.get("nginx", "–"), own, goal, "met" if met else "**missed**"]
            rows.append(f"| {what} | {' | '.join(shown)}{'; ' + note if note else ''} |")

        for row, size, goal in [("cpu-1.5M", "1.5M", 1.9 if has_vbmi() else 2.2), ("cpu-100K", "100K", 0.35)]:
            if self.wants(row):
                own, other = (self.median(name, size, 32, "cpu_per_1000") for name in ("pinhole", "nginx"))
                ratio = own / other if other else 0
                bound = 3.5 if size == "1.5M" and other else None
                note = f"{ratio:.1f} × nginx" + (f", goal ≤ {bound}" if bound else "") if other else "no nginx"
                note += f"; {self.median('pinhole', size, 32, 'per_s'):.0f} /s on one core"
                add(f"CPU s per 1000 × {size}, 32 clients", {"nginx": f"{other:.2f}"} if other else {}, f"{own:.2f}",
                    f"≤ {goal}", own <= goal and (not bound or ratio <= bound), note)
        for row, size, clients in [("peak-1.5M", "1.5M", 256), ("peak-6M", "6M", 32)]:
            if self.wants(row):
                own, other = (self.median(name, size, clients, "peak_mib") for name in ("pinhole", "nginx"))
                add(f"peak memory, {clients} × {size} at once", {"nginx": f"{other:.0f} MiB"} if other else {},
                    f"{own:.0f} MiB", "≤ 64 MiB", own <= 64)
        if self.wants("added"):
            p50 = {name: self.median(name, "1.5M", 1, "p50_ms") for name in ("direct", "nginx", "pinhole")}
            own, bound = p50["pinhole"] - p50["direct"], 3 + 4 * sync
            other = {"nginx": f"{p50['nginx'] - p50['direct']:.2f} ms"} if p50["nginx"] else {}
            add("added median, one client, 1.5M", other, f"{own:.2f} ms", f"≤ {bound:.2f} ms", own <= bound,
                f"3 ms + 4 × {sync:.2f} ms; direct {p50['direct']:.2f} ms")
        for row, what in [("events", "each streamed event at once"), ("edits", "edits pass")]:
            if self.wants(row):
                own = self.told["pinhole", row]
                add(what, {"nginx": self.told.get(("nginx", row), "–")}, own, "yes", own == "yes")
        for name, count in [("multipart", 16), ("JSON", 15)]:
            if got := self.told.get(("pinhole", f"uploads {name}")):
                met = got["served"] == UPLOAD_CLIENTS and got["peak_mib"] <= 200
                add(f"{UPLOAD_CLIENTS} clients at once, each {count} images of 3 MiB, {name}", {},
                    f"{got['peak_mib']:.0f} MiB, {got['served']} served", "≤ 200 MiB, all served", met,
                    f"{got['mib'] / 1024:.1f} GiB in {got['seconds']:.0f} s, {got['cpu_s']:.1f} CPU s"
                    + (f"; first other: {got['wrong']}" if got["wrong"] else ""))
        return ["| what | nginx | Pinhole | goal | |", "|---|--:|--:|--:|---|", *rows]


def has_vbmi():
    with contextlib.suppress(OSError):
        return "avx512_vbmi" in re.sub(r"avx512vbmi\b", "avx512_vbmi", pathlib.Path("/proc/cpuinfo").read_text())
    return False


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default="target/release/pinhole", type=os.path.abspath)
    arguments.add_argument("--mock", default="target/release/examples/openai_mock", type=os.path.abspath)
    arguments.add_argument("--seconds", type=int, default=3, help="of each cell")
    arguments.add_argument("--rounds", type=int, default=3, help="medians are taken of them")
    arguments.add_argument("--only", action="append", choices=ROWS, help="this row alone; may be repeated")
    arguments.add_argument("--folder", help="where the data folders are made; a real disk", default=".")
    arguments.add_argument("--json", help="all figures of all rounds, into this file")
    asked = arguments.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as name:
        folder = pathlib.Path(name).resolve()
        bench = Bench(asked, folder)
        sync = spine.fdatasync_ms(folder)
        with mock(asked.mock, folder, bench.others) as upstream, nginx(folder, upstream.address, bench.own) as proxy:
            if not proxy:
                print("nginx is missing, so its column is empty: apt-get install nginx-light", file=sys.stderr)
            if bench.wants(*ROWS[:-1]):
                for _ in range(asked.rounds):
                    bench.round(upstream, proxy)
            if bench.wants("uploads"):
                bench.uploads(upstream)
        sync = statistics.median([sync, spine.fdatasync_ms(folder)])
    pinned = "the gateway on one, mock and wrk on the other" if bench.own else "shared by all"
    print(f"{os.cpu_count()} cores, {pinned}; median fdatasync {sync:.2f} ms; medians of {asked.rounds} × {asked.seconds} s\n")
    print("\n".join(bench.table(sync)))
    if asked.json:
        cells = [{"gateway": key[0], "size": key[1], "clients": key[2], "rounds": got} for key, got in bench.cells.items()]
        told = {" ".join(key): value for key, value in bench.told.items()}
        pathlib.Path(asked.json).write_text(json.dumps({"fdatasync_ms": sync, "cells": cells, "told": told}, indent=1))


if __name__ == "__main__":
    main()
