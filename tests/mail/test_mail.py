"""Mails: what they say, that real servers take them, and what happens where they do not."""

from __future__ import annotations

import email
import json
import os
import re
import socket
import time
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.errors import MailError
from auditor.foundation.messages import on_stderr
from auditor.history import outbox
from auditor.history.store import Store
from auditor.mail.delivery import compose, send_due, wanted
from auditor.mail.message import message, subject
from auditor.mail.smtp import send
from auditor.model.mailing import Mailing, is_address
from auditor.model.past import Change, Past
from auditor.model.run import RulebookSummary, Run
from tests.conftest import Run as Auditor
from tests.given import WHEN
from tests.history.test_queries import IDS, result
from tests.mail.exim import exim
from tests.mail.server import Inbox, certificate, login, odd, smtp
from tests.places import RECORDINGS

MAILING = Mailing(server="127.0.0.1", sender="auditor@example.com", to=("kim@example.com",), security="none")
EVIL = "evil\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\x1b[31m\u202e"


def run_of(*letters: str, ident: str = "20261123T120000-abc", hours: int = 0, name: str = "h") -> Run:
    when = WHEN + timedelta(hours=hours)
    results = tuple(result(f"{name}{n}", some, when) for n, some in enumerate(letters))
    return Run(
        id=ident, started=when, finished=when, auditor="0", rulebook=RulebookSummary("d", 3, "2026-01-01"), results=results
    )


def past(*kinds: str) -> Past:
    return Past("2026-11-22T12:00:00", tuple(Change(k, "h0", "rule-0", "T") for k in kinds), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "before", "said"),
    [
        (run_of("cc"), None, "auditor: everything required is met"),
        (run_of("mc", "cc"), None, "auditor: 1 of 2 hosts lacks something"),
        (run_of("mc", "-"), past("new", "came back", "fixed"), "auditor: 2 new, 1 of 2 hosts not assessed, 1 of 2 hosts lacks something, 1 fixed"),
        (run_of("uc"), past("became unknown"), "auditor: 1 became unknown, 1 of 1 host leaves questions open"),
        (replace(run_of("cc"), interrupted=True), None, "auditor: stopped early after 1 host"),
    ],
)  # fmt: skip
def test_the_subject_says_the_matter(run: Run, before: Past | None, said: str) -> None:
    assert subject(run, before) == said


def test_the_mail_reads_well_in_either_part() -> None:
    mail = message(run_of("mcc", "-"), past("new", "facts changed"), MAILING, b"<html>whole</html>")
    parsed = email.message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    text, html, attached = [p for p in parsed.walk() if not p.is_multipart()]
    plain = text.get_content().replace("\r\n", "\n")
    assert plain.startswith("Of 2 hosts, 1 lacks something required, 1 could not be assessed.\n")
    assert "  h1: timeout: no answer" in plain
    assert "rules as of 2026-01-01, 326 days old" in plain
    assert "Changed since 2026-11-22 12:00 UTC:\n  new: h0, rule-0 T\n" in plain
    assert "  1. Title of rule-0 (important)\n" in plain
    assert "facts changed" not in plain
    page = html.get_content()
    assert "<style" not in page
    assert not re.search(r"<(?:script|link|img)|url\(|class=", page)
    assert attached.get_filename() == "auditor-20261123T120000-abc.html"
    assert attached.get_content() == "<html>whole</html>"
    assert mail["Message-ID"] == "<auditor.20261123T120000-abc@example.com>"
    assert mail["References"] == message(run_of("c", ident="other"), None, MAILING, None)["References"]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_what_happened_often_on_a_host_is_one_line() -> None:
    told = replace(
        past(), changes=tuple(Change("fixed", f"h{n % 2}", f"rule-{n}", "T") for n in range(9)) + past("new").changes
    )
    text = message(run_of("m"), told, MAILING, None).get_body(("plain",))
    assert text
    assert re.findall(r"^  (?:new|fixed).*", text.get_content(), re.M) == [
        "  new: h0, rule-0 T",
        "  fixed: h0, 5 findings: rule-0, rule-2, rule-4, rule-6, rule-8",
        "  fixed: h1, 4 findings: rule-1, rule-3, rule-5, rule-7",
    ]


def test_a_subject_of_any_length_stays_on_its_line() -> None:
    for hosts in range(1, 400):
        run = run_of("mc", "-", name="h" * hosts)
        raw = message(run, past(*["new"] * hosts, *["fixed"] * hosts), MAILING, None).as_bytes()
        line = raw.partition(b"\r\n")[0].decode()
        assert line == f"Subject: {subject(run, past(*['new'] * hosts, *['fixed'] * hosts))}"
        assert max(map(len, raw.split(b"\r\n"))) < 998


def test_nothing_of_a_host_becomes_a_header_or_markup() -> None:
    run = run_of("m", "-", name=EVIL, ident=EVIL)
    mail = message(run, past("new"), replace(MAILING, link="https://example.com/{run}"), None)
    raw = mail.as_bytes()
    head = raw.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"^Bcc:", head, re.M | re.I)
    seen = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

    for part in email.message_from_bytes(raw, policy=default).walk():
        if part.is_multipart():
            continue
        content = part.get_content()
        assert "\x1b" not in content
        assert "\u202e" not in content
        Tags().feed(content if part.get_content_type() == "text/html" else "")
    assert "script" not in seen


def test_a_report_that_is_too_large_is_not_attached() -> None:
    mail = message(run_of("c"), None, MAILING, b"x" * 5_000_001)
    assert not list(mail.iter_attachments())
    assert "auditor report export 20261123T120000-abc" in str(mail.get_body(("plain",)))
    linked = message(run_of("c"), None, replace(MAILING, link="https://example.com/{run}.html"), None)
    assert "https://example.com/20261123T120000-abc.html" in str(linked.get_body(("plain",)))


def hand_over(mailing: Mailing) -> None:
    send(message(run_of("mc"), None, mailing, None), mailing, mailing.to)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the server does not count TLS from the start
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_with_a_certificate_and_a_login(tmp_path: Path, security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, context = certificate(tmp_path)
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret")
    inbox = Inbox()
    options = {"tls_context": context, "require_starttls": True} if security == "starttls" else {"ssl_context": context}
    with smtp(
        inbox, **options, authenticator=login(b"kim", b"s3cret"), auth_required=True, auth_require_tls=security == "starttls"
    ) as port:
        given = replace(MAILING, port=port, security=security, user="kim", password="env:MAIL_PASSWORD", ca_file=str(ca))
        hand_over(given)
        assert [e.rcpt_tos for e in inbox.mails] == [["kim@example.com"]]
        monkeypatch.setenv("MAIL_PASSWORD", "wrong-one")
        with pytest.raises(MailError, match=r"refused the login of kim: .*; check `user` and `password`") as caught:
            hand_over(given)
        assert "wrong-one" not in str(caught.value)
        with pytest.raises(MailError, match=r"certificate of .* is not trusted"):
            hand_over(replace(given, ca_file=None))
    assert len(inbox.mails) == 1


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda c: time.sleep(2), "did not answer within 0.5 s"),
        (lambda c: c.sendall(b"220 hello\r\n"), "broke off: Connection unexpectedly closed"),
        (lambda c: c.sendall(b"554 go away\r\n") or c.recv(100), "answered 554: go away"),
        (lambda c: None, "broke off: Connection unexpectedly closed"),
    ],
)
def test_servers_that_hang_refuse_and_cut_off(talk: object, said: str) -> None:
    with odd(talk) as port, pytest.raises(MailError, match=said):  # type: ignore[arg-type]
        hand_over(replace(MAILING, port=port, timeout=0.5))


def test_a_server_that_is_bad_at_parting_has_the_mail() -> None:
    class Rude(Inbox):
        async def handle_QUIT(self, *_: object) -> str:
            return "451 not yet"

    inbox = Rude()
    with smtp(inbox) as port:
        hand_over(replace(MAILING, port=port))
    assert len(inbox.mails) == 1


def test_a_server_that_is_away_and_one_without_tls() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(MailError, match="cannot be reached: Connection refused"):
            hand_over(replace(MAILING, port=free.getsockname()[1]))
    with smtp(Inbox()) as port, pytest.raises(MailError, match="does not offer what is asked"):
        hand_over(replace(MAILING, port=port, security="starttls"))


def night(path: Path, number: int, letters: str, mail_to: tuple[str, ...] = ("kim@example.com",)) -> None:
    when = WHEN + timedelta(days=number)
    run = replace(run_of(letters, ident=f"night{number}"), started=when, finished=when)
    with Store(path) as s:
        s.begin(run, IDS)
        for r in run.results:
            s.add(run, [r], listed=[r.target.name])
        s.finish(run, mail_to=mail_to)


def test_no_mail_is_lost_while_the_server_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three nights: the server away, then answering 4xx once, then taking what waits, each mail once and in order."""
    path, inbox = tmp_path / "a.db", Inbox(answers=["451 try again later"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = replace(MAILING, port=free.getsockname()[1])
        for number in range(2):
            night(path, number, "mc")
            with Store(path) as s:
                assert not send_due(s, away, WHEN + timedelta(days=number), on_stderr)
    assert "waits in the outbox" in capsys.readouterr().err
    with smtp(inbox) as port:
        here = replace(MAILING, port=port)
        night(path, 2, "cc")
        with Store(path) as s:
            now = WHEN + timedelta(days=2)
            assert not send_due(s, here, now, on_stderr)  # the first is put off
            assert [e.content.decode().count("night1") > 0 for e in inbox.mails] == [True, False]  # type: ignore[union-attr]
            assert send_due(s, here, now, on_stderr)  # nothing is due
            assert send_due(s, here, now + timedelta(hours=7), on_stderr)
            rows = outbox.listed(s.db)
            assert [r["attempts"] for r in rows] == [1, 2, 4]
            assert all(r["sent"] for r in rows)
    ids = [re.search(r"Message-ID: (\S+)", e.content.decode())[1] for e in inbox.mails]  # type: ignore[index,union-attr]
    assert sorted(ids) == [f"<auditor.night{n}@example.com>" for n in range(3)]


@pytest.mark.skipif(os.geteuid() != 0, reason="exim's binary insists on a user of its own, which needs a mount namespace")
def test_debians_exim_over_starttls(tmp_path: Path) -> None:
    """Put off with a 451 first, as by greylisting; then delivered, byte for byte."""
    path = tmp_path / "a.db"
    night(path, 0, "mc")
    with exim() as server, Store(path) as s:
        given = replace(MAILING, port=server.port, security="starttls", ca_file=str(server.ca))
        server.away.touch()
        assert not send_due(s, given, WHEN, on_stderr)
        assert "451 try again later" in outbox.listed(s.db)[0]["error"]
        server.away.unlink()
        assert send_due(s, given, WHEN + timedelta(hours=1), on_stderr)
        (mail,) = server.delivered(1)
        sent = compose(s, "night0", given, given.to).as_bytes().replace(b"\r\n", b"\n")
        boundary = rb"={15}\d+=="
        assert re.sub(boundary, b"=", mail).endswith(re.sub(boundary, b"=", sent))
        with pytest.raises(MailError, match=r"refused every recipient: kim@example.org \(550 relay not permitted\)"):
            hand_over(replace(given, to=("kim@example.org",)))
        with pytest.raises(MailError, match="only over TLS"):
            hand_over(replace(given, security="none"))
        assert len(server.delivered(1)) == 1


def test_an_attempt_of_unknown_end_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A kill after the server's 250, and a server that breaks off once it has the whole mail: tried again under the same
    Message-ID, and counted."""
    path, taken = tmp_path / "a.db", []

    def greedy(c: socket.socket) -> None:
        c.sendall(b"220 hello\r\n")
        got = b""
        while not got.endswith(b"\r\n.\r\n"):
            got += (new := c.recv(65536))
            if new.split(b" ")[0].strip().upper() in (b"EHLO", b"HELO", b"MAIL", b"RCPT"):
                c.sendall(b"250 yes\r\n")
            elif new.strip().upper() == b"DATA":
                c.sendall(b"354 go on\r\n")
        taken.append(got)

    night(path, 0, "mc")
    with Store(path) as s:
        with odd(greedy) as port:
            assert not send_due(s, replace(MAILING, port=port), WHEN, on_stderr)
        assert len(taken) == 1
        assert outbox.listed(s.db)[0]["unanswered"] == 1
        with s.transaction():
            outbox.trying(s.db, "night0")  # and killed here
    inbox = Inbox()
    with Store(path) as s, smtp(inbox) as port:
        assert send_due(s, replace(MAILING, port=port), WHEN + timedelta(days=1), on_stderr)
        (row,) = outbox.listed(s.db)
        assert (row["attempts"], row["unanswered"]) == (3, 2)
    ids = [re.search(rb"Message-ID: (\S+)", m)[1] for m in (taken[0], inbox.mails[0].content)]  # type: ignore[index,arg-type]
    assert ids[0] == ids[1]


def test_the_wait_doubles_up_to_six_hours(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    night(path, 0, "m")
    waits = []
    with Store(path) as s:
        for _ in range(9):
            outbox.trying(s.db, "night0")
            outbox.failed(s.db, "night0", MailError("x"), WHEN)
            (row,) = outbox.listed(s.db)
            waits.append(row["next_try"][11:16])
    assert waits == ["12:05", "12:10", "12:20", "12:40", "13:20", "14:40", "17:20", "18:00", "18:00"]


@pytest.mark.parametrize(
    ("policy", "letters", "changes", "asked"),
    [
        ("always", "cc", (), True),
        ("on-change", "mc", (), False),
        ("on-change", "mc", ("facts changed",), False),
        ("on-change", "cc", ("fixed",), True),
        ("on-noncompliance", "cc", ("fixed",), False),
        ("on-noncompliance", "mc", (), True),
        ("on-noncompliance", "uc", (), True),
        ("on-noncompliance", "-", (), True),
    ],
)
def test_the_policies(policy: str, letters: str, changes: tuple[str, ...], asked: bool) -> None:
    given = replace(MAILING, policy=policy)
    assert wanted(run_of(letters), past(*changes), given, WHEN - timedelta(days=1)) is asked
    beating = replace(given, heartbeat="7d")
    assert wanted(run_of(letters), past(*changes), beating, WHEN - timedelta(days=6)) is asked
    assert wanted(run_of(letters), past(*changes), beating, WHEN - timedelta(days=7))
    assert wanted(run_of(letters), past(*changes), beating, None)


@pytest.mark.parametrize(
    ("text", "good"),
    [("kim@example.com", True), ("kim+audit@[192.0.2.1]", True), ("kim", False), ("@x", False), ("k m@x", False), ("k\n@x", False), ("k@x\r\nBcc: y@z", False)],
)  # fmt: skip
def test_what_is_an_address(text: str, good: bool) -> None:
    assert is_address(text) is good


INVENTORY = """hosts:
  here: {{connection: replay, path: {recording}}}
history: auditor.db
mail: {{server: 127.0.0.1, port: {port}, security: none, sender: auditor@example.com, to: [kim@example.com, lee@example.com]}}
"""


def test_from_the_nightly_audit_to_the_inbox(auditor: Auditor, home: Path) -> None:
    recording = RECORDINGS / "debian-12-root"
    inbox = Inbox()
    with smtp(inbox) as port:
        (home / "inventory.yaml").write_text(INVENTORY.format(recording=recording, port=port))
        assert auditor("audit", "--quiet").returncode in (0, 1, 3)
        (taken,) = inbox.mails
        assert taken.rcpt_tos == ["kim@example.com", "lee@example.com"]
        assert isinstance(taken.content, bytes)
        parsed = email.message_from_bytes(taken.content, policy=default)
        (attached,) = parsed.iter_attachments()
        assert attached.get_content() == (home / "auditor-report.html").read_text()
        listed = json.loads(auditor("report", "outbox", "--format", "json").stdout)
        assert [(r["attempts"], bool(r["sent"])) for r in listed] == [(1, True)]
        assert auditor("report", "send", "--to", "boss@example.com").returncode == 0
        assert inbox.mails[1].rcpt_tos == ["boss@example.com"]
        assert auditor("audit", "--quiet", "--no-mail").returncode in (0, 1, 3)
        assert auditor("scan", "here", "--quiet").returncode in (0, 1, 3)
        assert len(inbox.mails) == 2
    done = auditor("report", "send", "--preview", "mail.eml")
    assert done.returncode == 0
    assert (home / "mail.eml").read_bytes().startswith(b"Subject: auditor: ")
    away = auditor("audit", "--quiet")
    assert "waits in the outbox" in away.stderr
    assert "Connection refused" in auditor("report", "outbox").stdout
    assert auditor("report", "send").returncode == 3
    assert "is no address" in auditor("report", "send", "--to", "nobody").stderr
    assert os.stat(home / "auditor.db").st_mode & 0o77 == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{server: x, sender: a@b, to: []}", "`to` needs at least one address"),
        ("{server: x, sender: nobody, to: [a@b]}", "'nobody' is no address"),
        ("{server: x, sender: a@b, to: [a@b], security: none, user: u, password: env:HOME}", "not sent in the clear"),
        ("{server: x, sender: a@b, to: [a@b], user: u}", "user and password belong together"),
        ("{server: x, sender: a@b, to: [a@b], user: u, password: plain}", "a secret is written out"),
        ("{server: x, sender: a@b, to: [a@b], heartbeat: weekly}", "heartbeat is no span"),
        ("{server: x, sender: a@b, to: [a@b], link: javascript:x}", "must begin with https://"),
        ("{server: x, sendr: a@b, to: [a@b]}", "did you mean sender"),
    ],
)
def test_settings_that_are_wrong(auditor: Auditor, home: Path, line: str, said: str) -> None:
    (home / "inventory.yaml").write_text(f"hosts: {{a: {{address: 192.0.2.1}}}}\nmail: {line}\n")
    done = auditor("inventory", "check")
    assert done.returncode == 2
    assert "inventory.yaml:2: " in done.stderr
    assert said in done.stderr


def test_an_empty_history_has_nothing_to_mail(auditor: Auditor, home: Path) -> None:
    Store(home / "auditor.db").close()
    (home / "inventory.yaml").write_text("hosts: {a: {address: 192.0.2.1}}\nmail: {server: x, sender: a@b, to: [a@b]}\n")
    assert "has no finished run yet" in auditor("report", "send").stderr
    assert "no mail was ever due" in auditor("report", "outbox").stdout


def test_a_wait_that_a_wrong_clock_noted_is_over_when_it_is_right_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    night(path, 0, "m")
    with Store(path) as s:
        outbox.trying(s.db, "night0")
        outbox.failed(s.db, "night0", "x", WHEN + timedelta(days=3650))  # type: ignore[arg-type]
        assert outbox.due(s.db, WHEN + timedelta(days=3650)) == []
        assert [run for run, _ in outbox.due(s.db, WHEN)] == ["night0"]
        assert outbox.last_sent(s.db, ("kim@example.com",), WHEN - timedelta(days=3650)) is None


def test_what_is_advised_is_counted_and_not_told() -> None:
    """A mail is about what is required; the rest is in the report."""
    required, advised = (
        Change("new", "h0", f"rule-{o}", "T", "low", o, "compliant", "noncompliant", "a", "b") for o in ("required", "advised")
    )
    mail = message(run_of("m"), Past("2026-11-22T12:00:00", (required, advised), ()), MAILING, None)
    text = mail.get_body(("plain",))
    assert text
    assert "  new: h0, rule-required T: compliant (a) → noncompliant (b)\n  1 change of what is advised" in text.get_content()
    assert "rule-advised" not in text.get_content()
    assert mail["Subject"].startswith("auditor: 1 new, ")
    alone = message(run_of("m"), Past("2026-11-22T12:00:00", (advised,), ()), MAILING, None).get_body(("plain",))
    assert alone
    assert "Nothing changed" not in alone.get_content()
