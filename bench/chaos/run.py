#!/usr/bin/env python3
"""Kills the server at random moments while tasks come in, starts it again each time, and audits what is left.

    bench/chaos/run.py [--tasks 10000] [--kills 200] [--seed N] [--binary target/release/pinhole] [--folder .]

All real processes on loopback: the server on a folder of its own, an upstream that writes down each call (`mock.py`),
clients in threads. Nine in ten tasks go to a paid upstream with a second one behind it, one in ten is drawn. Four in
five clients send an Idempotency-Key and repeat the call until it is answered, as they should; the others send it once.
Two in three wait with a poll, every second one names a callback, whose receiver (`receiver.py`) fails three in ten
until the kills are over.

After the last restart every accepted task must end within 60 s. Then the auditor (`audit.py`) looks: nothing lost,
nothing sent twice, nobody charged twice, every result served and the right one, every callback delivered under one id
and signed, ledger zero, nothing held; and `pinhole ledger check` must agree. Any violation ends it with status 1. The
folder must lie on a real disk. Needs Python 3.9 and nothing else.
"""

import bisect
import contextlib
import http.client
import itertools
import json
import pathlib
import queue
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from audit import Auditor  # noqa: E402
from stand import Pinhole, command_line, free_port, percentile, running  # noqa: E402

MODEL = """
id = "{id}"
extends = "sketch"
name = "{id}"

[[price]]
unit = "image"
amount = "0.04"
source = "bench"
date = 2026-11-21
"""

TARGET = """
[[target]]
provider = "{provider}"
model = "upstream"
priority = {priority}
max_images = 1

[[target.cost]]
unit = "image"
amount = "{cost}"
source = "bench"
date = 2026-11-21
"""

PROVIDER = """
[provider.{name}]
kind = "openai"
variant = "compatible"
base_url = "http://127.0.0.1:{port}/{name}"
concurrency = 20
proxy = "none"
"""


class Site(Pinhole):
    """The server with its models, and the stand-ins beside it."""

    def __init__(self, asked, folder, stack):
        self.stack, self.seed = stack, asked.seed
        mock = self.stand_in(folder, "mock.py", "calls.log")
        receives = self.stand_in(folder, "receiver.py", "deliveries.log")
        self.callback = f"http://127.0.0.1:{receives}"
        paid = [("main", "0.01"), ("backup", "0.02")]
        settings = 'min_free_mib = 0\nallow_private_networks = ["127.0.0.1"]\n'
        settings += "".join(PROVIDER.format(name=name, port=mock) for name, _ in paid)
        # Clients find it at the same place after each restart.
        listen = f"127.0.0.1:{free_port()}"
        super().__init__(asked.binary, folder, settings, log="error", listen=listen)
        self.url = f"http://{listen}"
        targets = [TARGET.format(provider=name, cost=cost, priority=at) for at, (name, cost) in enumerate(paid)]
        self.write_model("paid", MODEL.format(id="paid") + "".join(targets))
        drawn = TARGET.format(provider="sketch", cost="0", priority=0)
        self.write_model("drawn", MODEL.format(id="drawn") + drawn)

    def stand_in(self, folder, script, log):
        """Its port."""
        command = [sys.executable, HERE / script, "--log", folder / log, "--seed", str(self.seed)]
        process = self.stack.enter_context(running(command, folder / "stand-ins.log"))
        return int(process.stdout.readline())

    def begin(self):
        """Starts the server; when, and how many seconds it took to be ready."""
        begun = time.time()
        self.start()
        return begun, self.ready_ms / 1e3

    def open_tasks(self):
        return self.count("tasks WHERE state IN ('pending', 'processing')")

    def open_deliveries(self):
        return self.count("deliveries WHERE state = 'pending'")


class Clients:
    """Threads that submit numbered tasks as they are handed out, and remember what they were told."""

    def __init__(self, site, key, seed, threads):
        self.site, self.key, self.seed = site, key, seed
        self.numbers = queue.Queue()
        self.told, self.keyed, self.refused = {}, set(), []
        self.sent_once_without_answer = 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while (number := self.numbers.get()) is not None:
            try:
                self.submit(number)
            except Exception as error:  # A thread that died would leave its numbers unsent.
                self.refused.append((number, repr(error)))

    def submit(self, number):
        chance = random.Random(f"{self.seed} client {number}")
        model = "drawn" if chance.random() < 0.1 else "paid"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        has_key = chance.random() < 0.8
        if has_key:
            headers["Idempotency-Key"] = f"chaos {number}"
            with self.lock:
                self.keyed.add(number)
        body = {"model": model, "prompt": f"chaos {number}", "size": "64x64"}
        if chance.random() < 0.5:
            body["callback_url"] = f"{self.site.callback}/{number}"
        body = json.dumps(body).encode()
        while True:
            request = urllib.request.Request(f"{self.site.url}/api/v1/images/generations", body, headers)
            try:
                task = json.load(urllib.request.urlopen(request, timeout=60))["data"]["taskId"]
                break
            except urllib.error.HTTPError as error:
                said = error.read()[:200].decode(errors="replace")
                # Told to come back later: nothing was accepted.
                if error.code not in (429, 503):
                    self.refused.append((number, error.code, said))
                    return
                time.sleep(0.2)
            except (OSError, ValueError, EOFError, http.client.HTTPException):
                if not has_key:
                    self.sent_once_without_answer += 1
                    return
                time.sleep(0.02)
        with self.lock:
            self.told[number] = task
        if chance.random() < 2 / 3:
            self.poll(task, headers["Authorization"])

    def poll(self, task, authorization):
        """Waits a little, as clients do; a broken connection is nobody's loss."""
        url = f"{self.site.url}/api/v1/images/generations?task_id={task}&wait=1"
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": authorization}), timeout=5).read()
        except (OSError, http.client.HTTPException):
            pass

    def finish(self):
        for _ in self.threads:
            self.numbers.put(None)
        for thread in self.threads:
            thread.join(120)


def main():
    parser = command_line(__doc__, folder="the data folder")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--keep", action="store_true", help="leave the folder, whatever comes out")
    asked = parser.parse_args()
    print(f"seed {asked.seed}: {asked.tasks} tasks, {asked.kills} kills", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(dir=asked.folder, prefix="chaos-")).resolve()
    with contextlib.ExitStack() as stack:
        wrong = run(stack.enter_context(Site(asked, folder, stack)), asked)
    if wrong or asked.keep:
        print(f"the folder is left for a look: {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if wrong else 0)


def run(site, asked):
    chance = random.Random(f"{asked.seed} kills")
    starts = [site.begin()]
    clients = Clients(site, site.key("chaos"), asked.seed, asked.clients)
    begun, numbers, interrupted = time.time(), iter(range(asked.tasks)), []
    for kill in range(asked.kills):
        # The tasks come in evenly until the kill, whenever that is.
        batch, lives = asked.tasks // asked.kills, chance.uniform(0.2, 2)
        for number in itertools.islice(numbers, batch):
            time.sleep(lives / batch)
            clients.numbers.put(number)
        site.kill()
        open_tasks = site.open_tasks()
        interrupted.append(open_tasks)
        starts.append(site.begin())
        if (kill + 1) % 20 == 0:
            print(f"  {kill + 1} kills, {len(clients.told)} tasks told, {open_tasks} open at the last", flush=True)
    last_start = time.time()
    for number in numbers:
        clients.numbers.put(number)
    clients.finish()
    while (left := site.open_tasks()) and time.time() - last_start < 60:
        time.sleep(0.05)
    print(f"  {left} tasks open {time.time() - last_start:.1f} s after the last restart; {time.time() - begun:.0f} s in all")
    urllib.request.urlopen(site.callback).read()
    while (untold := site.open_deliveries()) and time.time() - last_start < 300:
        time.sleep(0.1)
    print(f"  {untold} callbacks undelivered {time.time() - last_start:.1f} s after the last restart")
    auditor = Auditor(site.rows(), site.folder, site.url, asked.seed)
    auditor.check("no task is stuck 60 s after the last restart", [left] if left else [])
    auditor.check("no client was refused", clients.refused)
    found = auditor.look(clients.told, clients.keyed)
    checked = site.command("ledger", "check")
    auditor.check("`pinhole ledger check` agrees", [] if checked.returncode == 0 else [checked.stdout + checked.stderr])
    report(site, starts, interrupted, found, auditor, clients)
    return auditor.wrong


def report(site, starts, interrupted, found, auditor, clients):
    rows = auditor.rows
    ends = sorted(row[0] / 1e3 for row in rows.execute("SELECT completed_at FROM tasks"))
    calls = sorted(float(line.split(" ", 1)[0]) for line in open(site.folder / "calls.log"))

    def first_after(times, begun):
        at = bisect.bisect_left(times, begun)
        return times[at] - begun if at < len(times) else None

    # Only restarts that found something to go on with.
    after = [begun for (begun, _), count in zip(starts[1:], interrupted) if count]
    unknown = rows.execute("SELECT count(*) FROM attempts WHERE state = 'unknown'").fetchone()[0]
    crashes = rows.execute("SELECT count(*) FROM tasks WHERE crashes > 0").fetchone()[0]
    print(f"\n{found}; {auditor.paid} paid calls; {unknown} ended as unknown; {crashes} tasks lived through a kill; "
          f"{auditor.files} results fetched; {auditor.told} callbacks delivered in {auditor.deliveries} attempts; "
          f"{clients.sent_once_without_answer} calls without a key broke off")
    print("\n| from the restart | p50 | p99 | worst |\n|---|--:|--:|--:|")
    ready = [took for _, took in starts[1:]]
    first_end = [took for took in (first_after(ends, begun) for begun in after) if took is not None]
    first_call = [took for took in (first_after(calls, begun) for begun in after) if took is not None]
    for what, times in (("ready", ready), ("first interrupted task ends", first_end), ("next call leaves", first_call)):
        if times:
            figures = (statistics.median(times), percentile(times, 0.99), max(times))
            print(f"| {what} | " + " | ".join(f"{took * 1e3:.0f} ms" for took in figures) + " |")
    print(f"\n{'NOT IN ORDER: ' + '; '.join(auditor.wrong) if auditor.wrong else 'in order'}")


if __name__ == "__main__":
    main()
