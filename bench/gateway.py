#!/usr/bin/env python3
"""What a picture costs on its way through Pinhole, beside nginx as a plain reverse proxy, LiteLLM and Portkey.

    bench/gateway.py [--binary target/release/pinhole] [--mock target/release/examples/openai_mock]
                     [--seconds 3] [--rounds 3] [--peers DIR] [--peer-seconds 20] [--peer-rounds 1]
                     [--only ROW] [--folder DIR] [--json FILE]

Starts a stand-in for OpenAI (`examples/openai_mock`, which serves each picture from memory), nginx and the release
binary on loopback and loads both in turn with wrk. Pinhole has everything on: a live key, a prepaid account,
validation, quote, durable transactions, decode, hash, storage. LiteLLM and Portkey are measured alone afterwards, if
`--peers` names the folder in which they are installed. Prints one table; `pinhole ledger check` must be clean at the
end. Needs Python 3.9, wrk, nginx (skipped if it is missing) and a folder on a real disk. README.md says how it
measures, and how the peers are installed.
"""

import base64
import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import statistics
import struct
import sys
import tempfile
import threading
import time

import peers
import stand
from peers import MIB, MODEL, PATH, TEXT, Missing
from stand import command_line, fdatasync_ms, on, processors

UPLOAD_CLIENTS, UPLOAD_BYTES = 100, 3 * MIB
COLUMNS = ["nginx", "LiteLLM", "Portkey", "Pinhole"]

# Rows that are a load: picture and clients at once.
LOADS = {"added": ("1.5M", 1), "cpu-1.5M": ("1.5M", 32), "cpu-100K": ("100K", 32), "peak-1.5M": ("1.5M", 256),
         "peak-6M": ("6M", 32)}
ROWS = [*LOADS, "events", "edits", "uploads"]


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
    go()
    try:
        reply = gateway.post(PATH, body, "application/json", timeout=10)
        if reply.status != 200:
            return refusal(gateway, reply)
        while came < 3 and (chunk := reply.read1(65536)):
            seen += chunk
            while (end := seen.find(b"\n\n")) >= 0:
                if b"b64_json" in seen[:end]:
                    came += 1
                    if came < 3:
                        go()
                seen = seen[end + 2:]
    except TimeoutError:
        # What would have come, had nothing been held back? Enough for this stream and for another one.
        for _ in range(6):
            go()
        reply = gateway.post(PATH, body, "application/json", timeout=10)
        return f"held back after {came}" if reply.status == 200 else refusal(gateway, reply)
    return "yes" if came == 3 else f"fails ({came} of 3)"


def refusal(gateway, reply):
    print(f"  {gateway.name:8} says {reply.status}: {reply.read()[:300]!r}", file=sys.stderr)
    return f"fails ({reply.status})"


def png(size, mark):
    """A PNG of exactly this size: one colour, and a chunk of noise that decoders pass over."""
    side = 512
    plain = functools.partial(stand.png, side, bytes(side * side * 3))
    noise = struct.pack(">I", mark) + os.urandom(size - len(plain()) - 16)
    return plain(more=stand.chunk(b"noIs", noise))


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
    for number, picture in enumerate(texts):
        comma = b"," if number else b""
        pieces += [comma + b'{"image_url": "data:image/png;base64,', picture, b'"}']
    return pieces + [b"]}"], "application/json"


def edits_pass(gateway, _upstream):
    body, kind = form([png(MIB, 0)])
    reply = gateway.post("/v1/images/edits", b"".join(body), kind)
    if reply.status != 200:
        return refusal(gateway, reply)
    text = reply.read()
    return "yes" if len(json.loads(text)["data"][0]["b64_json"]) == TEXT["100K"] else "fails (another picture)"


def asked_once(question, gateway, upstream):
    """What a question finds; what breaks is an answer too."""
    try:
        return question(gateway, upstream)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        return f"fails ({type(error).__name__})"


def uploads(gateway, body, kind):
    """A hundred clients at once, each with one large body. Every one must be served."""
    statuses, begun = [], threading.Barrier(UPLOAD_CLIENTS)

    def client():
        try:
            begun.wait()
            reply = gateway.post("/v1/images/edits", body, kind, timeout=280)
            text = reply.read()
            statuses.append(reply.status if b"b64_json" in text else f"{reply.status}: {text[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
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
    return {"served": served, "wrong": wrong, "peak_mib": gateway.memory_mib("VmHWM"),
            "seconds": time.monotonic() - start, "cpu_s": gateway.cpu_s() - before, "mib": UPLOAD_CLIENTS * sum(map(len, body)) / MIB}


class Bench:
    """Rounds of cells; each figure is the median of its rounds."""

    def __init__(self, asked, folder):
        self.asked, self.folder = asked, folder
        self.own, self.others = processors()
        self.cells, self.told, self.versions, self.missing = {}, {}, {}, []

    def wants(self, *rows):
        return not self.asked.only or any(row in self.asked.only for row in rows)

    def run(self):
        if self.wants(*ROWS[:-1]):
            for _ in range(self.asked.rounds):
                self.round()
            self.run_peers()
        if self.wants("uploads"):
            self.run_uploads()

    def upstream(self):
        """One for each round: what a gateway that fails has left there must not help the next."""
        return peers.upstream(self.asked.mock, self.folder, self.others)

    def pinhole(self, upstream):
        return peers.pinhole(self.asked.binary, self.folder, upstream.address, self.own)

    def round(self):
        """nginx and Pinhole in turn, the other of which is idle."""
        with contextlib.ExitStack() as stack:
            upstream, both = stack.enter_context(self.upstream()), []
            with self.or_missing():
                both.append(stack.enter_context(peers.nginx(self.folder, upstream.address, self.own)))
            both.append(stack.enter_context(self.pinhole(upstream)))
            self.measure(upstream, both, self.asked.seconds, direct=True)

    def run_peers(self):
        """Each of them alone, and for longer, since they answer less in a second."""
        if not self.asked.peers:
            self.missing.append("LiteLLM and Portkey were not asked for (--peers)")
            return
        for peer in (peers.litellm, peers.portkey):
            with contextlib.ExitStack() as stack, self.or_missing():
                upstream = stack.enter_context(self.upstream())
                gateway = stack.enter_context(peer(self.asked.peers, self.folder, upstream.address, self.own))
                for _ in range(self.asked.peer_rounds):
                    self.measure(upstream, [gateway], self.asked.peer_seconds)

    @contextlib.contextmanager
    def or_missing(self):
        try:
            yield
        except Missing as why:
            if str(why) not in self.missing:
                self.missing.append(str(why))

    def measure(self, upstream, gateways, seconds, direct=False):
        with on(self.others):
            for gateway in gateways:
                self.versions[gateway.name] = gateway.version
                gateway.load(self.folder, "1.5M", 4, 1)  # nothing of it counts
            for row in filter(self.wants, LOADS):
                # Alone, the upstream says what of the median is not the gateway's.
                for gateway in [upstream, *gateways] if direct and row == "added" else gateways:
                    self.cell(gateway, *LOADS[row], seconds)
            for row, question in [("events", events_at_once), ("edits", edits_pass)]:
                for gateway in gateways if self.wants(row) else []:
                    self.told[gateway.name, row] = found = asked_once(question, gateway, upstream)
                    print(f"  {gateway.name:8} {row}: {found}", file=sys.stderr)

    def cell(self, gateway, size, clients, seconds):
        got = gateway.load(self.folder, size, clients, seconds)
        self.cells.setdefault((gateway.name, size, clients), []).append(got)
        line = f"  {gateway.name:8} {size:>5} c={clients:<4}"
        if got["good"]:
            line += (f" {got['cpu_per_1000']:6.2f} CPU s / 1000  {got['per_s']:8.1f} /s  p50 {got['p50_ms']:8.2f} ms  "
                     f"peak {got['peak_mib']:6.1f} MiB  {got['cores']:.2f} cores  {got['good']} answers")
        print(line + (f"  {got['fails']}" if got["fails"] else ""), file=sys.stderr)

    def run_uploads(self):
        """Sixteen images of a form; fifteen as JSON, because sixteen are more than its 64 MiB as base64."""
        pictures = [png(UPLOAD_BYTES, mark) for mark in range(16)]
        texts = [base64.b64encode(picture) for picture in pictures[:15]]
        bodies = {"multipart": form(pictures), "JSON": json_form(texts)}
        with self.upstream() as upstream:
            for name, (body, kind) in bodies.items():
                with self.pinhole(upstream) as own, on(self.others):
                    self.told["Pinhole", f"uploads {name}"] = got = uploads(own, body, kind)
                    print(f"  Pinhole  uploads, {name}: {got}", file=sys.stderr)

    # --- the table ------------------------------------------------------------------------------

    def median(self, name, row, what):
        """None if it was not measured, or never answered."""
        figures = [cell[what] for cell in self.cells.get((name, *LOADS[row]), []) if cell["good"]]
        return statistics.median(figures) if figures else None

    def fails(self, name, row):
        return next((cell["fails"] for cell in self.cells.get((name, *LOADS[row]), []) if cell["fails"]), None)

    def figures(self, row, what, form, less=0):
        """Of each column, as text: the figure, and what failed."""
        shown = {}
        for name in COLUMNS:
            figure, fails = self.median(name, row, what), self.fails(name, row)
            if figure is not None:
                shown[name] = form.format(figure - less) + (f", {fails}" if fails else "")
            elif fails:
                shown[name] = fails
        return shown

    def is_met(self, row, what, bound, less=0):
        figure = self.median("Pinhole", row, what)
        return figure is not None and figure - less <= bound and not self.fails("Pinhole", row)

    def table(self, sync):
        rows = [f"| what | {' | '.join(COLUMNS)} | goal | |", f"|---|{'--:|' * len(COLUMNS)}--:|---|"]

        def add(what, shown, goal, met, note=""):
            columns = [shown.get(name, "–") for name in COLUMNS]
            note = ("met" if met else "**missed**") + (f"; {note}" if note else "")
            rows.append(f"| {what} | {' | '.join(columns)} | {goal} | {note} |")

        for row, goal, most in [("cpu-1.5M", 1.9 if has_vbmi() else 2.2, 3.5), ("cpu-100K", 0.35, None)]:
            if self.wants(row):
                size, clients = LOADS[row]
                times = self.times_nginx(row)
                met = self.is_met(row, "cpu_per_1000", goal) and not (most and times and times > most)
                note = f"{times:.1f} × nginx" + (f", goal ≤ {most}" if most else "") if times else "no nginx"
                add(f"CPU s per 1000 × {size}, {clients} clients", self.figures(row, "cpu_per_1000", "{:.2f}"),
                    f"≤ {goal}", met, f"{note}; {self.rates(row)}")
        for row in ("peak-1.5M", "peak-6M"):
            if self.wants(row):
                size, clients = LOADS[row]
                add(f"peak memory, {clients} × {size} at once", self.figures(row, "peak_mib", "{:.0f} MiB"), "≤ 64 MiB",
                    self.is_met(row, "peak_mib", 64))
        if self.wants("added"):
            direct, bound = self.median("direct", "added", "p50_ms") or 0, 3 + 4 * sync
            add("added median, one client, 1.5M", self.figures("added", "p50_ms", "{:.2f} ms", direct),
                f"≤ {bound:.2f} ms", self.is_met("added", "p50_ms", bound, direct), f"3 ms + 4 × {sync:.2f} ms; direct {direct:.2f} ms")
        for row, what in [("events", "each streamed event at once"), ("edits", "edits pass")]:
            if self.wants(row):
                shown = {name: self.told[name, row] for name in COLUMNS if (name, row) in self.told}
                add(what, shown, "yes", shown.get("Pinhole") == "yes")
        for name, count in [("multipart", 16), ("JSON", 15)]:
            if got := self.told.get(("Pinhole", f"uploads {name}")):
                met = got["served"] == UPLOAD_CLIENTS and got["peak_mib"] <= 200
                add(f"{UPLOAD_CLIENTS} clients at once, each {count} images of 3 MiB, {name}",
                    {"Pinhole": f"{got['peak_mib']:.0f} MiB, {got['served']} served"}, "≤ 200 MiB, all served", met,
                    f"{got['mib'] / 1024:.1f} GiB in {got['seconds']:.0f} s, {got['cpu_s']:.1f} CPU s"
                    + (f"; first other: {got['wrong']}" if got["wrong"] else ""))
        return rows

    def times_nginx(self, row):
        own, other = (self.median(name, row, "cpu_per_1000") for name in ("Pinhole", "nginx"))
        return own / other if own and other else None

    def rates(self, row):
        rates = {name: self.median(name, row, "per_s") for name in COLUMNS}
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items() if rate)
        return f"pictures a second on one core: {shown or 'none'}"

    def has_failed(self):
        """Whether Pinhole gave a wrong answer anywhere: of others that is a figure."""
        return any(self.fails("Pinhole", row) for row in LOADS) or any(
            name == "Pinhole" and str(found).startswith(("fails", "held")) for (name, _), found in self.told.items())


def has_vbmi():
    with contextlib.suppress(OSError):
        return bool(re.search(r"\bavx512_?vbmi\b", pathlib.Path("/proc/cpuinfo").read_text()))
    return False


def main():
    parser = command_line(__doc__, folder="the data folders")
    mock = str(stand.RELEASE / "examples" / "openai_mock")
    parser.add_argument("--mock", type=stand.program, default=mock, help="the stand-in for OpenAI")
    parser.add_argument("--seconds", type=int, default=3, help="of each cell")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken of them")
    parser.add_argument("--peers", type=pathlib.Path, help="the folder with litellm/ and portkey/, see README.md")
    parser.add_argument("--peer-seconds", type=int, default=20, help="of each cell of theirs, since they answer less")
    parser.add_argument("--peer-rounds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=ROWS, help="this row alone; may be repeated")
    parser.add_argument("--json", help="all figures of all rounds, into this file")
    asked = parser.parse_args()
    stand.need_wrk()
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as name:
        folder = pathlib.Path(name).resolve()
        bench = Bench(asked, folder)
        sync = fdatasync_ms(folder)
        bench.run()
        sync = statistics.median([sync, fdatasync_ms(folder)])
    report(bench, sync)
    sys.exit(1 if bench.has_failed() else 0)


def report(bench, sync):
    asked = bench.asked
    pinned = "the gateway on one, mock and wrk on the other" if bench.own else "shared by all"
    cells = f"medians of {asked.rounds} × {asked.seconds} s"
    cells += f", of the peers {asked.peer_rounds} × {asked.peer_seconds} s" if asked.peers else ""
    print(f"{os.cpu_count()} cores, {pinned}; median fdatasync {sync:.2f} ms; {cells}")
    versions = ", ".join(f"{name} {version}" for name, version in bench.versions.items() if version)
    print(*filter(None, [versions]), *(f"Not measured: {why}." for why in bench.missing), "", sep="\n")
    print("\n".join(bench.table(sync)))
    if asked.json:
        cells = [{"gateway": name, "size": size, "clients": clients, "rounds": got}
                 for (name, size, clients), got in bench.cells.items()]
        told = {" ".join(key): value for key, value in bench.told.items()}
        figures = {"fdatasync_ms": sync, "versions": bench.versions, "cells": cells, "told": told}
        pathlib.Path(asked.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
