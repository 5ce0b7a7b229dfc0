"""Runs the soak and says what it found; exit 1 where anything is not as it must be.

`python -m tests.soak [--nights 50] [--seed 1] [--write docs/reliability.md]`. Root is needed for a disk that can be full (a
small tmpfs). Everything is drawn from the seed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiosmtpd.controller import Controller

from auditor.history import maintenance, outbox, scheduled_runs
from auditor.history.store import Store
from tests.lab.sshd import free_port
from tests.lab.zones import ZoneLab
from tests.mail.server import Inbox
from tests.places import ROOT
from tests.soak.hosts import FIXED, HOSTS, LIMIT, ZONES, Hosts
from tests.soak.workers import Workers

RULE = """- id: soak-openssl
  title: openssl is the fixed one
  severity: important
  obligation: required
  family: linux
  branches: [{products: [debian-12], check: {kind: package, name: openssl, fixed: "FIXED"}}]
  remediation: Update it.
  meaning: m
  matters: m
  references: [{title: made}]
  provenance: {source: made, retrieved: 2026-01-01}
"""
LATER = "3.0.23-1~deb12u1"  # what the rule asks for from the night on which the rules change


class Soak:
    def __init__(self, base: Path, total: int, seed: int) -> None:
        self.total, self.chance = total, random.Random(seed)
        self.base, self.disk = base, base / "disk"
        self.path = self.disk / "auditor.db"
        self.problems: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.zones = ZoneLab(base, ZONES)
        self.workers: Workers | None = None
        self.required = FIXED
        self.truths: dict[str, tuple[dict[str, str], dict[str, str], str]] = {}  # by due: truth, ills, what the rule asks for
        self.memory: dict[int, tuple[int, int, int]] = {}  # by night: kilobytes, threads, open files
        self.seconds: dict[int, float] = {}
        self.inbox, self.port = Inbox(), free_port()
        self.server: Controller | None = None
        self.names = [Hosts.name(n) for n in range(HOSTS)]
        # Each kind of trouble has its nights, spread over the whole.
        self.killing = set(range(total // 10, total * 6 // 10))
        self.full = total // 5
        self.mailless = range(total * 3 // 10, total // 2)
        self.rules_change, self.hosts_change = total * 2 // 5, total * 9 // 20
        self.clock_back, self.clock_forward = total // 4, total * 11 // 20

    # The world

    def clock(self, when: datetime) -> None:
        """Moves the agent's clock; whole files only, since it may look at any moment."""
        new = self.base / "offset.new"
        new.write_text(str((when - datetime.now(UTC)).total_seconds()))
        new.replace(self.base / "offset")

    def mail(self, here: bool) -> None:
        if here and self.server is None:
            self.server = Controller(self.inbox, hostname="127.0.0.1", port=self.port)
            self.server.start()
        elif not here and self.server is not None:
            self.server.stop()
            self.server = None

    def write(self, hosts: Hosts) -> None:
        (self.base / "rules.yaml").write_text(RULE.replace("FIXED", self.required))
        (self.base / "inventory.yaml").write_text(
            hosts.inventory(self.names)
            + f"broker: {self.zones.url}\nzones: {{{', '.join(f'{z}: {{}}' for z in ZONES)}}}\n"
            + 'schedule: {nightly: {at: "02:00", window: 30min, rules: [rules.yaml]}}\n'
            + f"history: {self.path}\nagent: {{report: {self.disk}/report.html, metrics: {self.disk}/auditor.prom}}\n"
            + f"mail: {{server: 127.0.0.1, port: {self.port}, security: none, sender: auditor@example.com, to: [kim@example.com], attach: false, timeout: 5}}\n"
        )

    def start(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.base / "tmp")}
        with (self.base / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.agent", str(self.base / "offset")], cwd=self.base, env=env, stderr=log
            )

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.kills += 1

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            began = time.monotonic()
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(20)
            if code or time.monotonic() - began > 10:
                self.problems.append(f"SIGTERM: exit {code} after {time.monotonic() - began:.1f} s")

    # One night

    def night(self, number: int, due: datetime, hosts: Hosts) -> None:
        if number == self.rules_change:
            self.required = LATER
        if number == self.hosts_change:
            self.names = self.names[:-10]
        if number in (self.rules_change, self.hosts_change):
            self.write(hosts)
            assert self.process
            self.process.send_signal(signal.SIGHUP)
            time.sleep(3)
        hosts.changes()
        hosts.falls_ill() if number not in self._clean else hosts.well()
        self.mail(number not in self.mailless)
        self.truths[key(due)] = dict(hosts.truth), dict(hosts.ill), self.required
        began = time.monotonic()
        self.clock(due + timedelta(seconds=2))
        assert self.workers
        if number not in self._clean:
            self.workers.lose(self.chance)
        if number == self.full:
            self.fill()
        if number in self.killing:
            for _ in range(self.chance.randrange(1, 4)):
                time.sleep(self.chance.uniform(1.5, 9))
                self.kill()
                self.start()
        self.wait(due, number)
        self.seconds[number] = time.monotonic() - began
        self.look(number)
        if number == self.clock_back:
            self.clock(due - timedelta(hours=3))
            time.sleep(5)
        if number == self.clock_forward:
            # An audit that was never due: behind the last night, so that none is taken for it.
            ahead = due + timedelta(days=self.total)
            self.clock(ahead + timedelta(minutes=5))
            self.truths[key(ahead)] = self.truths[key(due)]
            self.wait(ahead, number)

    @property
    def _clean(self) -> set[int]:
        """Nights on which all are well and nobody kills: what a night takes by itself."""
        return {n for n in range(self.total) if n % 10 == 9 and n not in self.killing}

    def fill(self) -> None:
        """The disk is full while the night begins, and has room again 15 seconds later."""
        rest = self.disk / "filler"
        with rest.open("wb") as file:
            try:
                while True:
                    file.write(bytes(65536))
                    file.flush()
            except OSError:
                pass
        time.sleep(15)
        rest.unlink()

    def wait(self, due: datetime, number: int) -> None:
        end = time.monotonic() + 240
        while time.monotonic() < end:
            if self.process and self.process.poll() is not None:
                self.problems.append(f"night {number}: the agent ended by itself with {self.process.returncode}")
                self.start()
            if self.state(due) in ("done", "missed"):
                return
            time.sleep(0.3)
        self.problems.append(f"night {number} did not end within 240 s: {self.state(due)}")

    def state(self, due: datetime) -> str:
        try:
            with closing(Store(self.path, create=False)) as store:
                return next((r["state"] for r in scheduled_runs.listed(store.db, 10_000) if r["due"] == key(due)), "")
        except Exception:
            return ""

    def look(self, number: int) -> None:
        """What the agent holds, once it is idle again: its report is made and its mail tried after the night is noted."""
        assert self.process
        proc = Path("/proc") / str(self.process.pid)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            before = cpu(proc)
            time.sleep(1.5)
            if cpu(proc) - before < 0.1:
                break
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        self.memory[number] = (
            int(status["VmRSS"].split()[0]),
            len(list((proc / "task").iterdir())),
            len(list((proc / "fd").iterdir())),
        )

    # The account

    def account(self) -> list[str]:
        with closing(Store(self.path)) as store:
            if faults := list(maintenance.faults(store.db)):
                self.problems += [f"the history: {fault}" for fault in faults]
            rows = [r for r in scheduled_runs.listed(store.db, 10_000) if r["due"] in self.truths]
            by_due = Counter(r["due"] for r in rows)
            for due in self.truths:
                if by_due[due] != 1:
                    self.problems.append(f"{due}: {by_due[due]} entries")
            # The audit of a day that a clock set forward made up is a true audit of its hosts; its row says so.
            whole = [r for r in rows if r["run"]]
            open_ = [r["id"] for r in store.runs(10_000) if r["finished"] is None]
            self.problems += [f"run {ident} was never closed" for ident in open_]
            runs = Counter(r["run"] for r in whole)
            if len(store.runs(10_000)) != len(runs):
                self.problems.append(f"{len(store.runs(10_000))} runs for {len(runs)} nights")
            judged: Counter[str] = Counter()
            for r in whole:
                self._night(store, r, judged)
            mails = outbox.listed(store.db, 10_000)
        arrived = Counter(
            str(e.content).split("Message-ID: ")[1].split("\\r\\n")[0] if isinstance(e.content, bytes) else ""
            for e in self.inbox.mails
        )
        self.problems += [f"the mail of run {m['run']} was not delivered: {m['error']}" for m in mails if not m["sent"]]
        if len(arrived) != len(mails) or len(mails) != len(whole):
            self.problems.append(f"{len(whole)} nights, {len(mails)} mails due, {len(arrived)} arrived")
        twice, allowed = sum(arrived.values()) - len(arrived), sum(m["unanswered"] for m in mails)
        if twice > allowed:
            self.problems.append(f"{twice} duplicates, {allowed} attempts without an answer")
        self._flat()
        reasons = Counter(r["reason"] or "whole" for r in rows)
        clean = [self.seconds[n] for n in self._clean if n in self.seconds]
        ill = [s for n, s in self.seconds.items() if n not in self._clean and n not in self.killing and n not in (self.full,)]
        memory = {n: m for n, m in self.memory.items() if n > max(self.killing)}
        tenth = sorted(memory)[min(9, len(memory) // 2)]
        return [
            f"{self.total} nights of {HOSTS} hosts, {len(rows)} moments due: {', '.join(f'{n} {what}' for what, n in reasons.items())}",
            f"{self.kills} kills (SIGKILL), {len(whole)} runs, each closed once; database check clean: {'yes' if not faults else 'NO'}",
            f"every second host through one of two zones with two workers each, of which {self.workers.killed if self.workers else 0} were killed and {self.workers.stopped if self.workers else 0} stopped for a while",
            f"verdicts against the known truth: {judged['right']} right, {judged['wrong']} wrong; {judged['unknown']} unknown and {judged['none']} hosts not assessed, all of them ill; {judged['lost']} well hosts lost",
            f"mails: {len(mails)} due, {len(arrived)} arrived, {twice} duplicates ({allowed} attempts of unknown end)",
            f"a night with all hosts well: {statistics.median(clean):.1f} s; with a tenth ill: {statistics.median(ill):.1f} s [{min(ill):.1f}–{max(ill):.1f}] (a host's limit is {LIMIT:g} s, and a passing fault is tried twice)",
            f"memory of the last agent, idle after its nights: {memory[min(memory)][0] / 1024:.1f} MB after the first, {memory[tenth][0] / 1024:.1f} MB after the tenth, {memory[max(memory)][0] / 1024:.1f} MB at the end, {max(m[0] for m in memory.values()) / 1024:.1f} MB at most; threads {shown(m[1] for m in memory.values())}, open files {shown(m[2] for m in memory.values())}",
        ]

    def _night(self, store: Store, row: dict[str, str], judged: Counter[str]) -> None:
        truth, ills, required = self.truths[row["due"]]
        run = store.run(row["run"])
        for r in run.results:
            name = r.target.name
            verdict = r.findings[0].verdict if r.findings else None
            right = "compliant" if truth[name] == FIXED and required == FIXED else "noncompliant"
            if verdict in ("compliant", "noncompliant"):
                good = verdict == right and ills.get(name) != "lie"
                judged["right" if good else "wrong"] += 1
                if not good:
                    self.problems.append(f"{row['due']}: {name} ({ills.get(name, 'well')}) is told {verdict}, and is {right}")
                continue
            judged["unknown" if verdict else "none"] += 1
            if name not in ills or ills[name] == "slow":
                judged["lost"] += 1
                self.problems.append(
                    f"{row['due']}: {name} ({ills.get(name, 'well')}): {r.outcome} {r.error.message if r.error else verdict}"
                )
        expected = {n for n in truth if n in set(self.names) or row["due"] < self._changed}
        if not run.interrupted and {r.target.name for r in run.results} != expected:
            self.problems.append(f"{row['due']}: {len(run.results)} results for {len(expected)} hosts")

    def _flat(self) -> None:
        """At most a tenth more memory at the end than on the tenth night of the last agent, and nothing left open."""
        last = [n for n in sorted(self.memory) if n > max(self.killing)]
        if len(last) < 3:
            return
        tenth = last[min(9, len(last) // 2)]
        a, b = self.memory[tenth], self.memory[last[-1]]
        if b[0] > 1.1 * a[0]:
            self.problems.append(f"memory grew from {a[0]} KB on night {tenth} to {b[0]} KB on night {last[-1]}")
        if b[1:] != a[1:]:
            self.problems.append(f"threads and files: {a[1:]} on night {tenth}, {b[1:]} on night {last[-1]}")
        left = [p.name for p in (self.base / "tmp").iterdir()] + [p.name for p in self.disk.iterdir() if p.name.startswith(".")]
        if left:
            self.problems.append(f"temporary files left: {', '.join(left[:5])}")

    # All of it

    def run(self) -> list[str]:
        (self.base / "tmp").mkdir()
        begin = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
        with self.zones, Hosts(self.base, self.chance) as hosts, ExitStack() as stack:
            self.write(hosts)
            self.workers = stack.enter_context(Workers(self.zones, hosts.served()))
            self.clock(begin - timedelta(hours=6))
            self.start()
            time.sleep(4)
            due = begin
            self._changed = "9999"
            for number in range(self.total):
                if number == self.hosts_change:
                    self._changed = key(due)
                began = time.monotonic()
                self.night(number, due, hosts)
                print(
                    f"night {number + 1} of {self.total}: {time.monotonic() - began:.1f} s, {len(self.problems)} problems, {self.memory[number][0] / 1024:.1f} MB",
                    file=sys.stderr,
                    flush=True,
                )
                due += timedelta(days=1)
                if number == self.clock_forward:
                    self.clock(due - timedelta(hours=1))  # and back again, until that is believed
                    time.sleep(8)
            self.mail(True)
            self.clock(due - timedelta(days=1) + timedelta(hours=13))  # the longest wait of the outbox is over
            time.sleep(8)
            self.end()
        self.mail(False)
        return self.account()


def cpu(proc: Path) -> float:
    """Seconds of CPU that a process has used (proc_pid_stat(5), fields 14 and 15)."""
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shown(numbers: Iterable[int]) -> str:
    return " or ".join(str(n) for n in sorted(set(numbers)))


def key(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description="Compressed nights of an agent that has a hard time.")
    parser.add_argument("--nights", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a document whose part between the markers is replaced")
    given = parser.parse_args()
    if os.geteuid():
        print("the soak mounts a small disk that can be full: run it as root", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that disk and servers go with it
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="auditor-soak-") as name, ExitStack() as stack:
        soak = Soak(Path(name), given.nights, given.seed)
        soak.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(soak.disk)], check=True)
        stack.callback(subprocess.run, ["umount", str(soak.disk)], check=True)
        stack.callback(soak.kill)
        stack.callback(soak.mail, False)
        lines = soak.run()
    lines.append(
        f"{(time.monotonic() - began) / 60:.1f} minutes on {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}, seed {given.seed}"
    )
    lines += [f"**not as it must be**: {problem}" for problem in soak.problems[:30]]
    text = "\n".join(f"- {line}" for line in lines) + "\n"
    print(text)
    if given.write:
        before, _, rest = given.write.read_text().partition("<!-- soak -->\n")
        after = rest.partition("<!-- end -->")[2]
        given.write.write_text(f"{before}<!-- soak -->\n{text}<!-- end -->{after}")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
