#!/usr/bin/env python3
"""Callbacks under kill -9: every end is told at least once, whatever happens to the server.

    bench/webhooks/chaos.py [--tasks 10000] [--kills 200] [--seed N] [--binary target/release/pinhole]

Tasks that end at once are created while the server is killed and started again; the receiver fails 30 % of what it
gets, a third of that by a reset. Then an auditor with SQL of its own looks at the rows, and at what the receiver heard.
Ends by itself.
"""

import json
import pathlib
import random
import tempfile
import threading
import time
from collections import Counter, defaultdict
from http.client import HTTPException

from receiver import Receiver
from server import Site  # which finds the modules beside this folder
from listen import is_signed
from stand import command_line

PATIENCE_S = 40 * 60


def answer(_number):
    dice = random.random()
    return None if dice < 0.1 else 500 if dice < 0.3 else 200


class Clients:
    """Create tasks until there are as many as wanted, a few at a time, whatever becomes of the server."""

    def __init__(self, site, callback, tasks):
        self.site, self.callback, self.wanted = site, callback, tasks
        self.allowed, self.begun = 0, 0
        self.created = {}
        self.lock = threading.Condition()
        for _ in range(8):
            threading.Thread(target=self._work, daemon=True).start()

    def allow(self, count):
        with self.lock:
            self.allowed = min(self.wanted, self.allowed + count)
            self.lock.notify_all()

    def _work(self):
        while True:
            with self.lock:
                while self.begun >= self.allowed:
                    self.lock.wait()
                name = f"call {self.begun}"
                self.begun += 1
            while name not in self.created:
                try:
                    self.created[name] = self.site.create(self.callback, name)
                except (OSError, ValueError, HTTPException):
                    time.sleep(0.01)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    random.seed(given.seed)
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="pinhole-webhooks-") as folder:
        with Site(pathlib.Path(folder) / "site", given.binary) as site:
            run(site, given)


def run(site, given):
    started = time.time()
    receiver = Receiver(answer)
    clients = Clients(site, f"http://127.0.0.1:{receiver.port}/hook", given.tasks)
    each = -(-given.tasks // max(1, given.kills))
    for _ in range(given.kills):
        site.start()
        clients.allow(each)
        time.sleep(random.uniform(0.05, 0.8))
        site.kill()
    site.start()
    clients.allow(given.tasks)
    killed = time.time()
    wait(site, clients, given.tasks)
    over = time.time()
    site.stop()
    audit(site, clients, receiver, given)
    print(f"{given.kills} kills in {killed - started:.0f} s, all told {over - killed:.0f} s after the last one")


def wait(site, clients, tasks):
    rows, until = site.rows(), time.time() + PATIENCE_S
    while time.time() < until:
        open_tasks = one(rows, "SELECT count(*) FROM tasks WHERE state IN ('pending', 'processing')")
        unsent = one(rows, "SELECT count(*) FROM deliveries WHERE state = 'pending'")
        if len(clients.created) == tasks and open_tasks == 0 and unsent == 0:
            return
        time.sleep(0.5)
    raise SystemExit(f"not over: {len(clients.created)} created, {open_tasks} open, {unsent} unsent")


def one(rows, sql):
    return rows.execute(sql).fetchone()[0]


def none(rows, wrong, sql):
    found = [tuple(row) for row in rows.execute(sql)]
    assert not found, f"{wrong}: {len(found)}, like {found[:3]}"


def audit(site, clients, receiver, given):
    rows = site.rows()
    tasks = {row["id"]: row for row in rows.execute("SELECT * FROM tasks")}
    assert set(clients.created.values()) == set(tasks), "a task that a client was told of is lost, or one is made up"
    assert len(tasks) == given.tasks
    told(rows, tasks, receiver)
    attempts(rows, receiver)
    money(rows)
    calls = site.folder.joinpath("calls.log").read_text().splitlines()
    assert len(calls) == len(set(calls)), "a paid call was made twice"
    states = Counter(row["state"] for row in tasks.values())
    held = Counter(row[0] for row in rows.execute("SELECT attempts FROM deliveries"))
    interrupted = one(rows, "SELECT count(*) FROM delivery_attempts WHERE problem LIKE 'interrupted%'")
    print(f"tasks: {dict(states)}; paid calls: {len(calls)}")
    print(f"requests heard: {len(receiver.heard)}, of them answered {dict(Counter(str(h[3]) for h in receiver.heard))}")
    print(f"attempts per delivery: {dict(sorted(held.items()))}; interrupted by a kill: {interrupted}")


def told(rows, tasks, receiver):
    secret = one(rows, "SELECT secret FROM signing_secrets WHERE retires_at IS NULL")
    ids, good = defaultdict(set), Counter()
    bodies = defaultdict(set)
    for at, headers, body, status in receiver.heard:
        signed = [headers.get("webhook-" + name) for name in ("id", "timestamp", "signature")]
        assert is_signed(secret, *signed, body), "a signature is wrong"
        data = json.loads(body)["data"]
        task = tasks[data["taskId"]]
        assert (data["state"], data["completeTime"]) == (task["state"], task["completed_at"])
        assert at >= task["completed_at"] - 1, "told before its end was stored"
        ids[task["id"]].add(headers["webhook-id"])
        bodies[task["id"]].add(body)
        good[task["id"]] += status == 200
    missing = [task for task in tasks if good[task] == 0]
    assert not missing, f"never told: {len(missing)}, like {missing[:3]}"
    assert all(len(of_task) == 1 for of_task in ids.values()), "one end, several ids"
    assert all(len(of_task) == 1 for of_task in bodies.values()), "one end, several stories"
    print(f"told with success more than once: {sum(1 for count in good.values() if count > 1)}")


def attempts(rows, receiver):
    none(rows, "not delivered", "SELECT id, state FROM deliveries WHERE state <> 'delivered'")
    none(
        rows,
        "ends without exactly one delivery",
        "SELECT id FROM tasks WHERE 1 <> (SELECT count(*) FROM deliveries WHERE task = tasks.id)",
    )
    none(
        rows,
        "attempts that are not logged",
        "SELECT id FROM deliveries WHERE attempts <> (SELECT count(*) FROM delivery_attempts WHERE delivery = deliveries.id)",
    )
    none(
        rows,
        "more than 14 attempts besides those that a kill interrupted",
        """SELECT id FROM deliveries WHERE 14 < (SELECT count(*) FROM delivery_attempts
           WHERE delivery = deliveries.id AND coalesce(problem, '') NOT LIKE 'interrupted%')""",
    )
    heard = Counter(headers["webhook-id"] for _, headers, _, _ in receiver.heard)
    counted = {row["id"]: row["attempts"] for row in rows.execute("SELECT id, attempts FROM deliveries")}
    assert all(heard[one] <= counted[one] for one in heard), "sent more often than counted"


def money(rows):
    none(
        rows,
        "holds that were not resolved exactly once, or captures that are not what was delivered",
        """SELECT id FROM tasks WHERE hold <> quote_total
           OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind = 'hold')
           OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind IN ('capture', 'release'))
           OR captured <> quote_unit * (SELECT count(*) FROM assets WHERE task = tasks.id)
           OR (state = 'completed') <> (captured > 0)""",
    )
    assert one(rows, "SELECT coalesce(sum(held), 0) FROM accounts") == 0, "something is still held"


if __name__ == "__main__":
    main()
