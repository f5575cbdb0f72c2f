#!/usr/bin/env python3
"""What the queue does: tasks accepted, tasks completed, a full queue, a crowd beside a single client.

    bench/queue.py [--binary target/release/pinhole] [--seconds 6] [--runs 3] [--folder DIR]
                   [--only accept,rate,done,full,fair]

Starts the real binary on an empty folder for each row, with `replay` as the upstream, and loads it with wrk over
loopback, except for the open loop at a fixed rate and the fairness row, which this script sends itself. Everything is
on: authentication, validation, quote, durable transactions (`synchronous=FULL`), holds, the ledger; at the end of each
row `pinhole ledger check` must be clean. Medians of the runs. The folder must lie on a real disk, on which nothing much
was deleted in the last minutes. Needs Python 3.9 and wrk (apt-get install wrk); under five minutes.
"""

import http.client
import json
import os
import pathlib
import sqlite3
import statistics
import tempfile
import threading
import time

from spine import MODEL
from stand import Pinhole, command_line, fdatasync_ms, need_wrk, noise_png, percentile

PATH = "/api/v1/images/generations"

# Each thread of wrk has its own stretch of the keys and goes round in it, since a key may have a thousand tasks waiting.
CREATE = """
local keys = {{{keys}}}
local at, threads = 0, 0
function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end
wrk.method = "POST"
wrk.path = "%s"
wrk.body = '{{"model":"instant","prompt":"x"}}'
request = function()
  at = at + 1
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. keys[(at * 2 + offset) %% #keys + 1]
  return wrk.format()
end
""" % PATH


class Site(Pinhole):
    """A running server on a fresh folder, with so many keys, whose upstream answers after `delay_ms`."""

    def __init__(self, asked, folder, delay_ms, keys):
        settings = f'[provider.instant]\nkind = "replay"\nimage = "{folder}/picture.png"\ndelay_ms = {delay_ms}\n'
        super().__init__(asked.binary, folder, settings)
        (folder / "picture.png").write_bytes(noise_png(1024))
        self.write_model("instant", MODEL)
        # Keys are made beside no server: each makes one of its own short transaction.
        self.keys = [self.key(f"key {k}") for k in range(keys)]
        self.start()

    def tasks(self, where):
        return self.count(f"tasks WHERE {where}")

    def create(self, clients, seconds):
        keys = ",".join(f'"{key}"' for key in self.keys)
        return self.wrk(CREATE.format(keys=keys), self.folder, clients, seconds)

    def end(self):
        """Ends it at once (what waits would take for ever) and audits."""
        self.kill()
        # The folder stays until all is measured: for minutes after files were deleted, ext4 looks long for a free inode.
        return self.ledger_is_clean()


class Client:
    """One kept connection."""

    def __init__(self, address, key):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.connection.connect()
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        begun = time.perf_counter()
        self.connection.request(method, path, body, self.headers)
        reply = self.connection.getresponse()
        text = reply.read()
        took = (time.perf_counter() - begun) * 1e3
        if reply.status != 200:
            raise SystemExit(f"{method} {path}: {reply.status} {text[:300]}")
        return json.loads(text), took

    def create(self):
        reply, took = self.ask("POST", PATH, '{"model":"instant","prompt":"x"}')
        return reply["data"]["taskId"], took

    def wait(self, task):
        while True:
            reply, _ = self.ask("GET", f"{PATH}?task_id={task}&wait=30")
            if reply["data"]["state"] in ("success", "completed", "failed"):
                return reply["data"]["state"]


def accept(asked, folder):
    """As fast as 64 clients can; nothing completes, so that this is acceptance alone."""
    with Site(asked, folder, 3_600_000, 80) as site:
        site.create(16, 1)
        seen = site.create(64, asked.seconds)
        stored = site.tasks("1")
        clean = site.end()
        clean = clean and seen["errors"] == 0 and stored >= seen["requests"]
        return seen["per_s"], seen["cpu_ms"], seen["p50_ms"], seen["p99_ms"], clean


def rate(asked, folder):
    """An open loop: 500 a second, each sent when its time has come, whatever became of those before; latency from that time."""
    with Site(asked, folder, 3_600_000, 16) as site:
        site.create(16, 1)
        per_second, workers, late = 500, 64, []
        begun = time.perf_counter() + 0.5
        lock, next_number = threading.Lock(), iter(range(per_second * asked.seconds))

        def work(key):
            client = Client(site.address, key)
            while True:
                with lock:
                    number = next(next_number, None)
                if number is None:
                    return
                due = begun + number / per_second
                time.sleep(max(0, due - time.perf_counter()))
                client.create()
                late.append((time.perf_counter() - due) * 1e3)

        before = site.cpu_s()
        threads = [threading.Thread(target=work, args=(site.keys[k % len(site.keys)],)) for k in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begun
        cpu = (site.cpu_s() - before) * 1e3 / len(late)
        clean = site.end()
        return percentile(late, 0.99), percentile(late, 0.5), cpu, len(late) / took, clean


def done(asked, folder):
    """Created by 64 clients and completed by an instant upstream: a file and its folder are synced for each."""
    with Site(asked, folder, 0, 80) as site:
        site.create(16, 1)
        before, begun, cpu = site.tasks("state = 'completed'"), time.time(), site.cpu_s()
        seen = site.create(64, asked.seconds)
        while site.tasks("state IN ('pending', 'processing')"):
            time.sleep(0.02)
        took = time.time() - begun
        completed = site.tasks("state = 'completed'") - before
        cpu = (site.cpu_s() - cpu) * 1e3 / max(completed, 1)
        failed = site.tasks("state = 'failed'")
        clean = site.end()
        return completed / took, cpu, seen["per_s"], clean and failed == 0


# Keys, and tasks of theirs in turn, written behind the server's back.
KEYS = """
WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < 99)
INSERT INTO api_keys (id, account, name, mode, last_four, limits, secret_hash, imported, created_at)
SELECT printf('key_%032x', k), account, name, mode, last_four, limits, randomblob(32), 0, created_at
FROM n, (SELECT * FROM api_keys WHERE mode = 'live' LIMIT 1)
"""

FILL = """
WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < ?1)
INSERT INTO tasks (id, account, key, mode, request, quote_unit, quote_total, hold, lane, public_url, state, worker, fence, created_at,
                   started_at, completed_at, model, captured)
SELECT printf('task_%032x', ?2 + k), account, printf('key_%032x', k % 100), 'live', request, quote_unit, 0, 0, lane, public_url, ?3, 'w', 1, ?4 + k,
       ?5, ?5, model, 0 FROM n, (SELECT * FROM tasks LIMIT 1)
"""


def claim(rows, most, now):
    """The statements of a claim of so many tasks and its commit, as the store makes them, each of another key; in milliseconds."""
    begun = time.perf_counter()
    rows.execute("BEGIN IMMEDIATE")
    taken = [rows.execute("SELECT id FROM tasks WHERE state = 'pending' AND lane = 'elsewhere' AND key = ? "
                          "ORDER BY created_at, id LIMIT 1", (f"key_{k:032x}",)).fetchone() for k in range(most)]
    for (task,) in taken:
        rows.execute("UPDATE tasks SET state = 'processing', worker = 'w', fence = fence + 1, started_at = ? "
                     "WHERE id = ? AND state = 'pending'", (now, task))
        rows.execute("SELECT * FROM tasks WHERE id = ?", (task,)).fetchone()
    rows.execute("COMMIT")
    return (time.perf_counter() - begun) * 1e3


def full(asked, folder):
    """A claim and a poll with a million finished and a hundred thousand waiting rows."""
    with Site(asked, folder, 0, 1) as site:
        model = Client(site.address, site.keys[0])
        model.wait(model.create()[0])
        site.stop()
        rows = sqlite3.connect(site.folder / "data" / "pinhole.db", isolation_level=None)
        now = int(time.time() * 1e3)
        rows.execute("BEGIN")
        rows.execute(KEYS)
        for count, first, state, at, ended in ((1_000_000, 1 << 40, "completed", now - 10**9, now - 10**6),
                                               (100_000, 1 << 41, "pending", now - 200_000, None)):
            rows.execute(FILL, (count, first, state, at, ended))
        # In a lane of no provider that is on: they wait for ever, and the index has them all.
        rows.execute("UPDATE tasks SET worker = NULL, fence = 0, lane = 'elsewhere' WHERE state = 'pending'")
        rows.execute("COMMIT")
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # Of a hundred keys with a thousand each, which is the most that a key may have waiting.
        rows.execute("PRAGMA synchronous = FULL")
        rows.execute("PRAGMA cache_size = -1024")
        claims = {}
        for most in (1, 64):
            claims[most] = sorted(claim(rows, most, now) for _ in range(200))
        polls = []
        rows.execute("UPDATE tasks SET state = 'failed', fail_kind = 'cancelled', completed_at = ? WHERE state = 'processing'", (now,))
        rows.close()
        site.start()
        client = Client(site.address, site.keys[0])
        for k in range(1000):
            # Finished ones all over the table, and waiting ones, whose place in the queue is counted.
            task = f"task_{(1 << 40) + k * 997:032x}" if k % 2 else f"task_{(1 << 41) + 20_000 + k * 79:032x}"
            polls.append(client.ask("GET", f"{PATH}?task_id={task}")[1])
        site.kill()
        return claims[1], claims[64], percentile(polls, 0.99), site.ready_ms


def fair(asked, folder):
    """One client's tasks, alone and beside a tenant with ten thousand waiting: each from its creation to its end."""
    with Site(asked, folder, 100, 10) as site:
        site.stop()
        site.write_model("instant", MODEL.replace('provider = "instant"', 'provider = "sketch"'))
        site.configure("test_concurrency = 4\n")
        site.tell("accounts", "create", "tenant")
        tenant = [site.key(f"tenant {k}", "--test", "--account", "tenant") for k in range(10)]
        single = site.key("single", "--test")
        site.start()
        body = '{"model":"sketch","prompt":"[pinhole:delay=50ms] x","size":"64x64"}'

        def one(client):
            begun = time.perf_counter()
            reply, _ = client.ask("POST", PATH, body)
            client.wait(reply["data"]["taskId"])
            return (time.perf_counter() - begun) * 1e3

        client = Client(site.address, single)
        pressure = threading.Event()

        def press(key):
            """Keeps nearly a thousand tasks of a key waiting: ten keys, ten thousand tasks."""
            own = Client(site.address, key)
            for _ in range(990):
                own.ask("POST", PATH, body)
            pressure.wait()

        # Alone, but for as many as there are slots: otherwise the lane is empty and nobody waits for anything.
        alone = [one(client) for _ in range(100)]
        threads = [threading.Thread(target=press, args=(key,)) for key in tenant]
        for thread in threads:
            thread.start()
        while site.tasks("state = 'pending'") < 9_000:
            time.sleep(0.05)
        waiting = site.tasks("state = 'pending'")
        # On a connection of its own: the first one may have been closed, being idle for so long.
        client = Client(site.address, single)
        beside = [one(client) for _ in range(100)]
        pressure.set()
        clean = site.end()
        return percentile(alone, 0.99), percentile(beside, 0.99), percentile(alone, 0.5), percentile(beside, 0.5), waiting, clean


def median_run(asked, folder, what, name):
    runs = [what(asked, folder / f"{name}{k}") for k in range(asked.runs)]
    runs.sort(key=lambda run: run[0])
    return runs[len(runs) // 2]


def main():
    parser = command_line(__doc__, folder="the data folders")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="accept,rate,done,full,fair")
    asked = parser.parse_args()
    need_wrk()
    only = asked.only.split(",")
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="queue-") as name:
        folder = pathlib.Path(name).resolve()
        sync = fdatasync_ms(folder)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median fdatasync {sync:.2f} ms, {asked.seconds} s a run, "
              f"medians of {asked.runs}; the load generator on the same cores\n\n| what | measured | goal | |\n|---|--:|--:|---|")

        def row(what, figure, goal, met, note):
            print(f"| {what} | {figure} | {goal} | {'met' if met else '**missed**'}; {note} |", flush=True)

        if "accept" in only:
            per_s, cpu, p50, p99, clean = median_run(asked, folder, accept, "accept")
            row("tasks accepted, 64 clients", f"{per_s:.0f} /s", "≥ 5000 /s", clean and per_s >= 5000,
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu:.3f} ms CPU each{'' if clean else '; NOT CLEAN'}")
        if "rate" in only:
            p99, p50, cpu, real, clean = median_run(asked, folder, rate, "rate")
            row("accept p99 at 500/s, open loop", f"{p99:.1f} ms", "≤ 50 ms", clean and p99 <= 50,
                f"p50 {p50:.1f} ms, {cpu:.2f} ms CPU each, {real:.0f}/s reached{'' if clean else '; NOT CLEAN'}")
        if "done" in only:
            per_s, cpu, accepted, clean = median_run(asked, folder, done, "done")
            row("created to completed, instant upstream", f"{per_s:.0f} /s", "≥ 2000 /s", clean and per_s >= 2000,
                f"{cpu:.2f} ms CPU each, accepted at {accepted:.0f}/s{'' if clean else '; NOT CLEAN'}")
        if "full" in only:
            one, many, poll, ready = full(asked, folder / "full")
            for size, times in (("one task", one), ("64 tasks", many)):
                p99 = percentile(times, 0.99)
                row(f"claim of {size}, 1 000 000 finished and 100 000 waiting rows (p99)", f"{p99:.1f} ms", "≤ 10 ms", p99 <= 10,
                    f"p50 {percentile(times, 0.5):.1f} ms; its statements and commit on the same file, from Python")
            row("poll, the same rows (p99)", f"{poll:.1f} ms", "≤ 5 ms", poll <= 5,
                f"over HTTP, half of them waiting with up to 800 of their key in front; start on these rows {ready:.0f} ms")
        if "fair" in only:
            alone, beside, alone50, beside50, waiting, clean = fair(asked, folder / "fair")
            row("p99 beside a tenant with 10 000 waiting", f"{beside / alone:.2f} ×", "≤ 2 ×", clean and beside <= 2 * alone,
                f"{alone:.0f} to {beside:.0f} ms, p50 {alone50:.0f} to {beside50:.0f} ms, {waiting} were waiting")


if __name__ == "__main__":
    main()
