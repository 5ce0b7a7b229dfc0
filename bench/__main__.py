"""`python -m bench`: run the parts asked for, print one Markdown table; needs root (network namespaces).

Everything takes about half an hour, most of it Ansible's; `--hosts 100 --rounds 3 --skip ansible` is a quick
look, and `python -m bench windows` is one part alone, of two to three minutes. `--write docs/performance.md`
also puts the table between that file's two markers.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from bench import ansible, contestants, fleet, netns, table
from bench.advisories import advisories
from bench.contestants import Product
from bench.feeds import feeds
from bench.history import history
from bench.latency import latency
from bench.measure import others, say
from bench.memory import memory
from bench.months import months
from bench.scene import Scene
from bench.startup import startup
from bench.throughput import dead, throughput
from bench.windows import PLAIN, windows
from bench.zones import zones

PARTS: dict[str, Callable[[Scene], list[table.Row]]] = {
    "throughput": throughput,
    "dead": dead,
    "latency": latency,
    "memory": memory,
    "startup": startup,
    "windows": windows,
    "advisories": advisories,
    "feeds": feeds,
    "months": months,
    "history": history,
    "zones": zones,
}
CONTACTS = ("bench.contact:contact",)
RUNNERS = {
    "auditor": contestants.AUDIT,
    "tuned": contestants.TUNED,
    "untuned": contestants.UNTUNED,
    "ansible": ansible.NAME,
    "pywinrm": PLAIN,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--auditor", type=Path, default=Path(".venv/bin/auditor"), help="the command to measure")
    parser.add_argument("--hosts", type=int, action="append", help="fleet size, repeatable (100 and 300)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=32, help="hosts at once, for every contestant")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--skip", default="", help=f"contestants, of {','.join(RUNNERS)}")
    parser.add_argument("--script", type=Path, help="file with the text that ssh is to run (else the product's own)")
    parser.add_argument("--script-from", default="bench.contact:script", help="module:function for it")
    parser.add_argument("--contact", action="append", help="module:function(inventory, host), repeatable")
    parser.add_argument("--slowlink", type=Path, default=Path("../shared/tools/slowlink.py"))
    parser.add_argument("--archive", type=Path, default=Path("../shared/advisories/kb/kb-articles.zip"), help="KB articles")
    parser.add_argument(
        "--made", type=int, action="append", help="size of a made fleet for the history, repeatable (100 and 1000)"
    )
    parser.add_argument("--nights", type=int, default=365, help="of the made history")
    parser.add_argument("--zone-hosts", type=int, default=2000, help="size of the zone's fleet")
    parser.add_argument("--rtt", type=float, default=0.05, help="round-trip time of the slow link, seconds")
    parser.add_argument("--limit", type=float, default=300, help="time limit of one run, seconds")
    parser.add_argument("--environment", type=Path, default=Path(".bench/venv"), help="where Ansible is or will be")
    parser.add_argument("--write", type=Path, help="a document with the two markers")
    asked = parser.parse_args()
    for given, known, option in ((asked.parts, PARTS, "PART"), (asked.skip.split(","), RUNNERS, "--skip")):
        wrong = [word for word in given if word and word not in known]
        if wrong:
            parser.error(f"{option}: not known: {', '.join(wrong)}")
    if asked.write and not asked.write.is_file():
        parser.error(f"--write: {asked.write} is not there")
    if any(not 1 <= count <= 300 for count in asked.hosts or ()):
        parser.error("--hosts: from 1 to 300")
    return asked


def script_text(product_python: Path, asked: argparse.Namespace) -> str | None:
    """The exact text ssh is to run: from a file, or from the product, asked in its own interpreter."""
    if asked.script:
        return str(asked.script.read_text(encoding="utf-8"))
    module, _, function = asked.script_from.partition(":")
    code = f"import sys; from {module} import {function} as f; sys.stdout.write(f() if callable(f) else f)"
    try:
        found = subprocess.run([product_python, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout or None


def main() -> int:
    asked = arguments()
    if why := netns.missing():
        say(f"bench: {why}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: sys.exit(128 + got))  # so that every `finally` runs
    netns.sweep()
    auditor = asked.auditor.absolute()
    product = Product(auditor, script_text(auditor.with_name("python"), asked), asked.jobs, tuple(asked.contact or CONTACTS))
    names = frozenset(name for word, name in RUNNERS.items() if word not in asked.skip.split(","))
    parts = [part for part in PARTS if part in (asked.parts or PARTS)]
    program, about = None, ""
    if ansible.NAME in names and "throughput" in parts:
        program, about = ansible.program(asked.environment.absolute())
    with tempfile.TemporaryDirectory(prefix=netns.name("")) as folder:
        base = Path(folder)
        keys = fleet.make_keys(base / "keys")
        scene = Scene(
            folder=base,
            keys=keys,
            product=product,
            rounds=asked.rounds,
            limit=asked.limit,
            hosts=tuple(asked.hosts or (100, 300)),
            names=names,
            slowlink=asked.slowlink,
            rtt=asked.rtt,
            archive=asked.archive,
            made=tuple(asked.made or (100, 1000)),
            nights=asked.nights,
            zone_hosts=asked.zone_hosts,
            ansible=program,
            without_ansible=about,
        )
        before = others()
        rows = [row for part in parts for row in PARTS[part](scene)]
        busy = f"{before:.0%} of the CPU used by others before and {others():.0%} after"
    extra = [about, busy] if program else [busy]
    text = f"{table.machine(date.today(), extra)}\n\n{table.table(rows)}"
    print(text, end="")
    if asked.write:
        table.write(asked.write, f"\n{text}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nbench: interrupted; what was started has been ended\n")
        sys.exit(130)
