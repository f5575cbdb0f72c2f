#!/usr/bin/env python3
"""A thousand receivers that never answer, and one that does: how long the one waits.

    bench/webhooks/holes.py [--holes 1000] [--seconds 60] [--rate 10] [--binary target/release/pinhole]

Every hole is an address of loopback, so a destination of its own; each gets a few callbacks first. Then the healthy
receiver is told of tasks, so many a second, and the time from the end of each task to its arrival is taken. Ends by
itself.
"""

import json
import pathlib
import tempfile
import threading
import time

from receiver import Receiver
from server import Site  # which finds the modules beside this folder
from stand import command_line, percentile


def main():
    parser = command_line(__doc__)
    parser.add_argument("--holes", type=int, default=1000)
    parser.add_argument("--each", type=int, default=2, help="callbacks for each hole")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pinhole-webhooks-") as folder:
        with Site(pathlib.Path(folder) / "site", given.binary) as site:
            run(site, given)


def run(site, given):
    hole = Receiver(lambda _number: "hold", host="0.0.0.0")
    healthy = Receiver(lambda _number: 200)
    site.start()
    before = site.memory_mib("VmRSS")
    names = iter(range(given.holes * given.each))
    lock = threading.Lock()

    def feed():
        while True:
            with lock:
                number = next(names, None)
            if number is None:
                return
            place = number % given.holes
            site.create(f"http://127.1.{place // 250}.{place % 250 + 1}:{hole.port}/hook", f"hole {number}")

    feeders = [threading.Thread(target=feed) for _ in range(8)]
    begun = time.time()
    for one in feeders:
        one.start()
    # The healthy one is a stranger like all others, and comes while they do.
    most = 0
    count = int(given.seconds * given.rate)
    for number in range(count):
        site.create(f"http://127.0.0.1:{healthy.port}/hook", f"healthy {number}")
        most = max(most, site.memory_mib("VmRSS"))
        time.sleep(max(0, begun + (number + 1) / given.rate - time.time()))
    for one in feeders:
        one.join()
    until = time.time() + 60
    while len(healthy.heard) < count and time.time() < until:
        time.sleep(0.05)
    report(site, hole, healthy, count, before, most, given)
    site.kill()


def report(site, hole, healthy, count, before, most, given):
    waits = sorted(at - json.loads(body)["data"]["completeTime"] for at, _, body, _ in healthy.heard)
    assert len(waits) == count, f"{len(waits)} of {count} arrived"
    rows = site.rows()
    tried = rows.execute(
        "SELECT count(*), sum(attempts), sum(attempts > 0) FROM deliveries WHERE destination LIKE 'http://127.1.%'"
    ).fetchone()
    print(f"{given.holes} holes: {tried[0]} callbacks, {tried[1]} attempts, {tried[2]} tried by now; "
          f"{hole.held} requests held")
    print(f"healthy: {count} callbacks, p50 {percentile(waits, 0.5):.0f} ms, p99 {percentile(waits, 0.99):.0f} ms, "
          f"longest {waits[-1]:.0f} ms")
    print(f"resident: {before:.0f} MiB at the start, {most:.0f} MiB at most")


if __name__ == "__main__":
    main()
