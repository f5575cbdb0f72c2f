"""The auditor: rows by SQL of its own, the upstream's log, the files over HTTP, and what clients were told.

It shares nothing with the program but the names of tables and columns. Each check is a sentence that is true when all
is well, and what speaks against it.
"""

import collections
import json
import urllib.error
import urllib.request

import listen
import mock

# What must find no row: a sentence, and a query for what contradicts it.
ROWS = [
    ("every accepted task has ended", "SELECT id FROM tasks WHERE state NOT IN ('completed', 'failed')"),
    ("every attempt has ended", "SELECT task FROM attempts WHERE state = 'intent'"),
    ("a task is completed if and only if it was charged for images",
     """SELECT id FROM tasks WHERE (state = 'completed') <> (captured > 0)
        OR (state = 'completed' AND NOT EXISTS (SELECT 1 FROM assets WHERE task = tasks.id))"""),
    ("no image of a task is there twice", "SELECT task FROM assets GROUP BY task, image_index HAVING count(*) > 1"),
    ("nobody is charged twice: one capture a task, of its price",
     """SELECT subject FROM transfers JOIN tasks ON tasks.id = subject WHERE kind = 'capture'
        GROUP BY subject HAVING count(*) <> 1 OR sum(amount) <> max(captured) OR max(captured) <> max(quote_total)"""),
    ("each hold is resolved exactly once",
     """SELECT id FROM tasks WHERE hold <> quote_total
        OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind = 'hold')
        OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id
                    AND kind IN ('capture', 'release'))"""),
    ("nothing is held any more", "SELECT id FROM accounts WHERE held <> 0"),
    ("the balances are the sums of the transfers",
     """SELECT id FROM accounts WHERE available <>
        coalesce((SELECT sum(amount) FROM transfers WHERE credit = accounts.id), 0) -
        coalesce((SELECT sum(amount) FROM transfers WHERE debit = accounts.id), 0)"""),
    ("what is unknown is the operator's loss, and nothing else is",
     """SELECT task FROM attempts WHERE loss <> CASE state WHEN 'unknown' THEN unit_cost * images ELSE 0 END
        OR loss <> (SELECT coalesce(sum(amount), 0) FROM transfers
                    WHERE kind = 'loss' AND subject = task || '/' || number)"""),
    ("what was delivered is booked as cost",
     "SELECT task FROM attempts WHERE cost <> CASE state WHEN 'succeeded' THEN unit_cost * images ELSE 0 END"),
]


class Auditor:
    def __init__(self, rows, folder, url, seed):
        self.rows, self.url, self.seed = rows, url, seed
        self.calls, self.log = folder / "calls.log", folder / "deliveries.log"
        self.wrong = []

    def check(self, sentence, against):
        against = list(against)
        print(f"  {'ok ' if not against else 'BAD'} {sentence}" + (f": {len(against)}, such as {against[:3]}" if against else ""))
        if against:
            self.wrong.append(sentence)

    def ids(self, sql):
        return [row[0] for row in self.rows.execute(sql)]

    def look(self, told, keyed):
        """`told`: the tasks that clients were told of, by the number in the prompt; `keyed`: numbers that were sent until answered."""
        tasks = {}
        for task, request, state, model in self.rows.execute("SELECT id, request, state, model FROM tasks"):
            number = int(request.split("chaos ", 1)[1].split('"', 1)[0].split(" ", 1)[0])
            tasks.setdefault(number, []).append((task, state, model))
        everything = {task for known in tasks.values() for task, _, _ in known}
        self.check("no task that a client was told of is lost", (task for task in told.values() if task not in everything))
        self.check("a call that is repeated under its key is one task",
                   (number for number in keyed if len(tasks.get(number, [])) != 1))
        self.check("no call that was sent once became two tasks", (number for number, known in tasks.items() if len(known) > 1))
        for sentence, sql in ROWS:
            self.check(sentence, self.ids(sql))
        total = self.rows.execute(
            "SELECT coalesce(sum(part), 0) FROM (SELECT available + held AS part FROM accounts UNION ALL "
            "SELECT sum(amount) FROM transfers WHERE credit LIKE 'system:%' UNION ALL "
            "SELECT -sum(amount) FROM transfers WHERE debit LIKE 'system:%')").fetchone()[0]
        self.check("the ledger's sum is zero", [total] if total else [])
        self.look_at_calls(tasks)
        self.look_at_files(tasks)
        self.look_at_callbacks()
        return {"tasks": len(everything), **collections.Counter(state for known in tasks.values() for _, state, _ in known)}

    def look_at_calls(self, tasks):
        paid = collections.Counter()
        taken = collections.Counter()
        for line in open(self.calls):
            _, address, number, kind = line.split()
            taken[(address, int(number))] += 1
            paid[int(number)] += kind != "busy"
        self.check("no paid call was sent twice", (number for number, count in paid.items() if count > 1))
        self.check("not even a refused call was sent to the same upstream twice",
                   (call for call, count in taken.items() if count > 1))
        self.check("no call was sent for a task that was not accepted", (number for number in paid if number not in tasks))
        attempts = collections.Counter()
        for task, state in self.rows.execute("SELECT task, state FROM attempts WHERE state = 'succeeded' AND provider <> 'sketch'"):
            attempts[task] += 1
        succeeded = {task for task in attempts}
        self.check("nothing succeeded at the upstream that it was not asked for",
                   (number for number, known in tasks.items() for task, _, _ in known if task in succeeded and paid[number] != 1))
        self.paid = sum(paid.values())

    def look_at_files(self, tasks):
        """Every result is served, and is the picture that the upstream made for that prompt."""
        by_task = {task: (number, model) for number, known in tasks.items() for task, _, model in known}
        missing, other = [], []
        self.files = 0
        for asset, task, form, size in self.rows.execute("SELECT id, task, format, bytes FROM assets"):
            number, model = by_task[task]
            self.files += 1
            try:
                served = urllib.request.urlopen(f"{self.url}/files/{asset}.{form}", timeout=30).read()
            except (OSError, urllib.error.URLError) as error:
                missing.append((asset, str(error)))
                continue
            whole = len(served) == size and served[:4] == b"\x89PNG" and served[-8:-4] == b"IEND"
            if not whole or (model == "paid" and served != mock.picture(self.seed, number)):
                other.append(asset)
        self.check("every result is served", missing)
        self.check("every result is the one that was made", other)

    def look_at_callbacks(self):
        """Every callback came, under one id, signed, with the end that the task has; a crash after an answer may tell it twice."""
        ends = {task: (state, callback) for task, state, callback in self.rows.execute("SELECT id, state, callback FROM tasks")}
        secrets = self.ids("SELECT secret FROM signing_secrets")
        begun = dict(self.rows.execute("SELECT task, attempts FROM deliveries"))
        ids, answered, came, unsigned, untrue = collections.defaultdict(set), set(), collections.Counter(), [], []
        for line in map(json.loads, open(self.log)):
            body = json.loads(line["body"])
            task = body["data"]["taskId"]
            ids[task].add(line["id"])
            came[task] += 1
            if line["answer"] == 200:
                answered.add(task)
            signed = (line["id"], line["timestamp"], line["signature"], line["body"].encode())
            if not any(listen.is_signed(secret, *signed) for secret in secrets):
                unsigned.append(task)
            if (body["code"] == 200) != (ends.get(task, ("lost", None))[0] == "completed"):
                untrue.append((task, body["code"]))
        self.told, self.deliveries = len(answered), sum(came.values())
        wanted = {task for task, (_, callback) in ends.items() if callback is not None}
        self.check("every callback was answered with a 2xx at least once", wanted - answered)
        self.check("nothing was told to who did not ask for it", set(came) - wanted)
        self.check("a callback has one id in all its attempts", (task for task, known in ids.items() if len(known) > 1))
        self.check("every callback is signed", unsigned)
        self.check("every callback tells the end that the task has", untrue)
        self.check("no attempt was made that was not counted before", (task for task, count in came.items() if count > begun.get(task, 0)))
