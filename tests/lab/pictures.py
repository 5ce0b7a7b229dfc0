"""`make pictures`: the pictures of the documentation, from a posed week of the fleet that `make demo` audits.

Each night is a real audit over the real protocols; between them the dates in the history are moved back by a day each,
since nobody waits a week for a picture. Chromium takes them.
"""

from __future__ import annotations

import contextlib
import email
import os
import sqlite3
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import yaml

from tests.lab import demo
from tests.places import ROOT

DOCS = ROOT / "docs"
# What is different on a night, from then on: the fleet begins worse than it ends, and one host gets worse.
_NIGHTS: list[dict[str, str]] = [
    {"plant-node-b": "nt40-server-sp3-rc", "plant-gateway": "nt40-server-sp6a-sna4-sp3", "plant-web": "nt40-server-sp4-rc", "laptop-11": "windows-11-23h2"},
    {"plant-web": "nt40-server-sp6-iis4"},
    {"plant-node-b": "nt40-enterprise-sp5-node"},
    {"laptop-11": "windows-11-24h2"},
    {"plant-node-b": "nt40-enterprise-sp6a-rc"},
    {"plant-gateway": "nt40-server-sp6a-sna4-sp4"},
    {"plant-node-a": "nt40-enterprise-sp6a-rc"},
]  # fmt: skip
_MAIL = {"server": "localhost", "sender": "auditor@example.com", "to": ["it-security@example.com"]}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="auditor-pictures-") as name:
        base, posed = Path(name), dict(demo.WINRM)
        for number, changed in enumerate(_NIGHTS):
            posed |= {host: (state, demo.WINRM[host][1]) for host, state in changed.items()}
            with contextlib.ExitStack() as stack:
                folder = base / f"night-{number}"
                folder.mkdir()
                inventory = demo.fleet(folder, stack, posed)
                _with(inventory, mail=_MAIL, history=str(base / "auditor.db"), deadlines={"critical": "14d"})
                _auditor(
                    base, "audit", "--quiet", "--no-mail", "--inventory", str(inventory), "--report", str(base / "report.html")
                )
                if number == len(_NIGHTS) - 1:
                    _auditor(base, "scan", "plant-node-a", "--quiet", "--no-history", "--inventory", str(inventory),
                             "--format", "html", "--output", str(base / "host.html"))  # fmt: skip
                    _auditor(base, "report", "send", "--preview", str(base / "mail.eml"), "--inventory", str(inventory))
                else:
                    _a_day_back(base / "auditor.db")
        mail = email.message_from_bytes((base / "mail.eml").read_bytes(), policy=default)
        assert isinstance(mail, EmailMessage)
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text
        assert html
        (DOCS / "mail.txt").write_text(
            f"Subject: {mail['Subject']}\n\n" + text.get_content().replace("\r\n", "\n"), encoding="utf-8"
        )
        (base / "mail.html").write_text(html.get_content(), encoding="utf-8")
        for page, picture, width, height in (
            ("report.html", "report.png", 1180, 1900),
            ("report.html", "report-phone.png", 500, 1400),
            ("host.html", "report-host.png", 1180, 1500),
            ("mail.html", "mail.png", 720, 1150),
        ):
            _picture(base / page, DOCS / picture, width, height, base)
    return 0


def _with(inventory: Path, **more: object) -> None:
    inventory.write_text(yaml.safe_dump(yaml.safe_load(inventory.read_text()) | more, sort_keys=False))


def _auditor(folder: Path, *words: str) -> None:
    env = {**os.environ, **demo.PASSWORDS, "PYTHONPATH": str(DOCS.parent)}
    code = subprocess.run([sys.executable, "-m", "auditor", *words], env=env, cwd=folder).returncode
    if code not in (0, 1, 3):
        raise SystemExit(f"auditor {words[0]} ended with {code}")


def _a_day_back(history: Path) -> None:
    with contextlib.closing(sqlite3.connect(history)) as db, db:
        for number, ident, started, finished in db.execute("select n, id, started, finished from runs").fetchall():
            moved = [
                (datetime.fromisoformat(t) - timedelta(days=1)).isoformat(timespec="milliseconds") for t in (started, finished)
            ]
            day = datetime.strptime(ident[:8], "%Y%m%d") - timedelta(days=1)
            db.execute("update runs set id=?, started=?, finished=? where n=?", (f"{day:%Y%m%d}{ident[8:]}", *moved, number))


def _picture(page: Path, picture: Path, width: int, height: int, folder: Path) -> None:
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}",
               f"--window-size={width},{height}", f"--screenshot={picture}", f"file://{page}"]  # fmt: skip
    subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    print(picture.relative_to(DOCS.parent))


if __name__ == "__main__":
    sys.exit(main())
