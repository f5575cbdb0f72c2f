"""What the scripts here share: the program under test, what a service costs, its load, disk, ports and pictures.

Nothing but Python's own library; Linux alone, because CPU time and memory are read from /proc.

A script in a folder beside this file puts this one at the end of its path, never at the front: `queue.py` would take
the place of Python's own.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import time
import urllib.request
import zlib

RELEASE = pathlib.Path(__file__).resolve().parents[1] / "target" / "release"

# What wrk saw, for `Service.wrk`.
DONE = """
done = function(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d %d\\n", summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99),
    wrong.status, wrong.connect, wrong.read, wrong.write, wrong.timeout))
end
"""


# --- the command line ---------------------------------------------------------------------------

def command_line(description, folder=None):
    """A parser with what all scripts take; `folder` says what is made in the folder that may be given."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=program, default=str(RELEASE / "pinhole"), help="the program under test")
    if folder:
        parser.add_argument("--folder", default=".", help=f"where {folder} is made; a real disk")
    return parser


def program(path):
    """The full path of something that can be run."""
    if not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{path} is not there: see bench/README.md for what to build")
    return os.path.abspath(path)


def need_wrk():
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")


# --- services -----------------------------------------------------------------------------------

class Service:
    """A process that listens, with its children: what they cost, and how they take a load."""

    def __init__(self, address=None, process=None):
        self.address, self.process = address, process

    def pids(self):
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):  # it has just ended
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found

    def cpu_s(self):
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, field):
        """`VmRSS`, what it has now, or `VmHWM`, the most that it had."""
        kib = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                kib += int(re.search(rf"{field}:\s+(\d+)", status).group(1))
        return kib / 1024

    def reset_peak(self):
        for pid in self.pids():
            with contextlib.suppress(OSError):  # the peak is then that since the start
                pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def wait_until_idle(self, seconds=30):
        """Until it has done what it still had to do, or has had that long for it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = self.cpu_s()
            time.sleep(0.3)
            if self.cpu_s() - before < 0.04:
                return

    def wrk(self, script, folder, clients, seconds, threads=2, timeout=30):
        """So many clients, each with one request under way at any time. Wrong answers are counted by their kind."""
        path = folder / "load.lua"
        path.write_text(script + DONE)
        command = ["wrk", "-t", str(min(threads, clients)), "-c", str(clients), "-d", f"{seconds}s",
                   "--timeout", f"{timeout}s", "-s", str(path), f"http://{self.address}"]
        before = self.cpu_s()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        cpu = self.cpu_s() - before
        requests, read, micros, p50, p99, *wrong = map(int, re.search(r"RESULT (.*)", output).group(1).split())
        return {"requests": requests, "bytes": read, "seconds": micros / 1e6, "per_s": requests / (micros / 1e6),
                "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3, "cpu_s": cpu, "cpu_ms": cpu * 1e3 / max(requests, 1),
                "wrong": dict(zip(("status", "connect", "read", "write", "timeout"), wrong)), "errors": sum(wrong)}

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks it to end; what does not is killed."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing outlives its script."""
        if self.process and self.process.poll() is None:
            self.kill()


class Pinhole(Service):
    """The program under test on a folder of its own: settings, commands, rows, and its server once it is started."""

    def __init__(self, binary, folder, settings="", log="warn", listen="127.0.0.1:0"):
        super().__init__()
        self.binary, self.folder, self.data = binary, folder, folder / "data"
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(settings, log, listen)

    def configure(self, settings, log="warn", listen="127.0.0.1:0"):
        (self.folder / "pinhole.toml").write_text(f'listen = "{listen}"\nlog = "{log}"\n{settings}')

    def write_model(self, name, text):
        catalogue = self.folder / "catalogue"
        catalogue.mkdir(exist_ok=True)
        (catalogue / f"{name}.toml").write_text(text)

    def arguments(self, *words):
        return [self.binary, *words, "--data", str(self.data), "--config", str(self.folder / "pinhole.toml")]

    def command(self, *words):
        """A command and how it ended. Nothing is taken from the environment: no setting, no key of a provider."""
        return subprocess.run(self.arguments(*words), env={}, capture_output=True, text=True)

    def tell(self, *words):
        """A command that must succeed; what it prints."""
        done = self.command(*words)
        if done.returncode:
            sys.exit(f"pinhole {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def key(self, name, *more):
        return json.loads(self.tell("keys", "create", "--name", name, "--json", *more))["key"]

    def ledger_is_clean(self):
        return self.command("ledger", "check").returncode == 0

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            begun = time.perf_counter()
            self.process = subprocess.Popen(self.arguments("serve"), env={}, stdout=log, stderr=log)
        self.address = self.wait_until_ready()
        self.ready_ms = (time.perf_counter() - begun) * 1e3
        return self

    def wait_until_ready(self):
        lock = self.data / "engine.lock"
        while self.process.poll() is None:
            # OSError is also what urllib says: nobody listens yet, or it is not ready.
            with contextlib.suppress(OSError):
                if address := lock.read_text().strip():
                    urllib.request.urlopen(f"http://{address}/readyz", timeout=5).read()
                    return address
            time.sleep(0.0005)
        sys.exit(f"the server ended with {self.process.returncode}: see {self.folder}/server.log")

    def rows(self):
        rows = sqlite3.connect(f"file:{self.data}/pinhole.db?mode=ro", uri=True, timeout=30)
        rows.row_factory = sqlite3.Row
        return rows

    def count(self, what):
        """How many rows: `tasks WHERE …`."""
        with contextlib.closing(self.rows()) as rows:
            return rows.execute(f"SELECT count(*) FROM {what}").fetchone()[0]


@contextlib.contextmanager
def running(command, log, env=None, read=True):
    """Another process while it is needed. Its errors go to the log; so does its output, unless that is to be read."""
    with open(log, "ab") as log:
        output = subprocess.PIPE if read else log
        process = subprocess.Popen(command, env=env, stdout=output, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- processors, ports, disk, figures -----------------------------------------------------------

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
    """One for what is measured, and the others for all else; None and None if there is only one."""
    all_of_them = sorted(os.sched_getaffinity(0))
    return ({all_of_them[-1]}, set(all_of_them[:-1])) if len(all_of_them) > 1 else (None, None)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port, process, seconds=30):
    """Whether it listens before it has ended, and before so many seconds are over."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.01)
    return False


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


def percentile(figures, part):
    figures = sorted(figures)
    return figures[min(len(figures) - 1, int(len(figures) * part))]


# --- pictures -----------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side, pixels, level=-1, more=b""):
    """A square PNG of these pixels, three bytes each, packed as hard as `level` says, with further chunks."""
    rows = b"".join(b"\0" + pixels[at:at + side * 3] for at in range(0, len(pixels), side * 3))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, level)) + more + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def noise_png(size):
    """A PNG of about `size` bytes that does not compress."""
    side = int((size / 3) ** 0.5)
    return png(side, os.urandom(side * side * 3), 0)
