"""Asks a map in memory again and again while something else goes on: is the loop held up?

How long an answer takes is not the daemon's doing alone, on a machine that has other work. So the
asking is a process of its own (no lock of a test's Python is waited for), and what can be told to
be the machine's is taken off each answer's time: how long the daemon's loop thread and the asking
one were ready and had no processor, or how long a third thread, which has nothing to do but sleep,
slept too long, whichever is more. What a loop waits for, and what it works itself, is never taken
off.
"""

import json
import os
import subprocess
import sys
import threading
import time

SLEEP_S = 0.002


class Prober:
    """worst_s: the longest answer, less what was the machine's. asked: how many there were. wrong:
    the first reply that was not right, or what went wrong. They are there afterwards."""

    def __init__(self, daemon, name="file", key="gregory@example.net", reply="OK gregory"):
        self.command = [sys.executable, os.path.abspath(__file__), daemon.socket, str(daemon.pid),
                        name, key, reply]
        self.process = None
        self.worst_s, self.took_s, self.asked, self.wrong = 0.0, 0.0, 0, None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # it has begun
        return self

    def __exit__(self, kind, *exception):
        try:
            out, _ = self.process.communicate("", timeout=120)
            if kind is None:
                self.worst_s, self.took_s, self.asked, self.wrong = json.loads(out)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def waited_s(path):
    """How long a thread has been ready to run and did not; 0 where that cannot be told."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


class Sleeper(threading.Thread):
    """Notes when it slept longer than it wanted to, until stop()."""

    def __init__(self):
        super().__init__(daemon=True)
        self.gaps = []  # (from, to)
        self.since = time.monotonic()
        self.over = False

    def run(self):
        while not self.over:
            time.sleep(SLEEP_S)
            now = time.monotonic()
            if now - self.since > 5 * SLEEP_S:
                self.gaps.append((self.since + SLEEP_S, now))
            self.since = now

    def stop(self):
        self.over = True

    def overslept_s(self, began, ended, least_s=0.0):
        """Between two moments. least_s: of shorter pauses nothing is said."""
        time.sleep(2 * SLEEP_S)  # it may be about to note it
        gaps = self.gaps + ([] if self.over else [(self.since + SLEEP_S, ended)])
        return sum(max(0.0, min(ended, b) - max(began, a)) for a, b in gaps if b - a >= least_s)


def main(where, pid, name, key, reply):
    from daemon import Socketmap  # what only asks does not need it
    worst = took = 0.0
    asked, wrong = 0, None
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    sleeper = Sleeper()
    sleeper.start()

    def waits():
        return waited_s("/proc/%s/schedstat" % pid) + waited_s("/proc/thread-self/schedstat")
    with Socketmap(where) as client:
        # What the test was about may be over before it has asked.
        while wrong is None and not (over.is_set() and asked > 5):
            before, began = waits(), time.monotonic()
            try:
                got = client.ask(name, key)
            except Exception as error:
                got = repr(error)
            ended = time.monotonic()
            lasted = ended - began
            if lasted > worst:
                machine = max(waits() - before, sleeper.overslept_s(began, ended))
                if lasted - machine > worst:
                    worst, took = lasted - machine, lasted
            asked += 1
            if got != reply:
                wrong = got
            if asked == 1:
                print(flush=True)
            time.sleep(0.001)
    print(json.dumps([worst, took, asked, wrong]))


if __name__ == "__main__":
    main(*sys.argv[1:])
