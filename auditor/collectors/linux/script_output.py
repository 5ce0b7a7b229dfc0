"""A host's raw answer, taken apart into sections.

The stream holds, between random markers: what came before us (a login shell's banner, dropped), `=form`, for each
section `<name`, its bytes and `>name status uptime error`, and `.end`. Whatever is not closed by its end marker was cut
off, and what it would have said is not known.
"""

from __future__ import annotations

import re
import zlib

from msgspec import Struct

from auditor.collectors.limits import MAX_LINE, MAX_ROWS
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.transports.command import MAX_STDOUT

_MOST_MEMBERS = 4  # each leaves a copy of what follows it; the script's answer is one
_MOST_MARKS = 1000
UNPRIVILEGED = 77  # the exit status of a section that sudo refused and that was read without privilege


class Section(Struct, frozen=True):
    """`text` is decoded as UTF-8 with every undecodable byte replaced; `seconds` may be None."""

    text: str
    status: int
    error: str
    seconds: float | None

    def lines(self, most: int = MAX_ROWS, what: str = "lines") -> list[str]:
        """The lines, without empty ones; FactUnavailable where there are more than `most`, or one is longer than MAX_LINE."""
        if self.text.count("\n") > most:
            raise FactUnavailable(f"its answer has more than {most:,} {what}, the limit up to which they are read")
        lines = [line for line in self.text.split("\n") if line]
        if any(len(line) > MAX_LINE for line in lines):
            raise FactUnavailable(
                f"its answer has a line of more than {MAX_LINE:,} characters, the limit up to which one is read"
            )
        return lines


class ScriptOutput(Struct):
    """The sections of one answer. `complete` is False where the end marker is missing; `truncated` then says why."""

    sections: dict[str, Section]
    complete: bool
    truncated: str

    @property
    def root(self) -> bool:
        """Did the script run with root's rights?"""
        return "identity" in self.sections and self.sections["identity"].text.startswith("uid=0 ")

    @property
    def sudo(self) -> bool:
        """Was it to ask sudo for the privileged commands?"""
        return "identity" in self.sections and " become=none\n" not in self.sections["identity"].text

    @property
    def came_by(self) -> int | None:
        """The TCP port of the host that its SSH server says we came in by."""
        said = self.sections["identity"].text if "identity" in self.sections else ""
        found = re.search(r"^came-by=(\d{1,5})$", said[:2000], re.MULTILINE)
        return int(found[1]) if found else None

    def get(self, name: str) -> Section:
        """A section whatever its status; FactUnavailable where it is missing or was cut off."""
        if name not in self.sections:
            raise FactUnavailable(f"no answer: {self.truncated or 'the host did not send this part'}")
        return self.sections[name]

    def good(self, name: str) -> Section:
        """A section that ended well; FactUnavailable with the host's own words otherwise."""
        section = self.get(name)
        if section.status not in (0, UNPRIVILEGED):
            said = f": {one_line(section.error)}" if section.error else ""
            raise FactUnavailable(f"the host answered with exit status {section.status}{said}")
        return section


def parse_output(stdout: bytes, marker: str, truncated: str | None, stderr: bytes = b"") -> ScriptOutput:
    """Read the framed stream; never raises. `truncated` is the transport's reason where the stream may be incomplete; `stderr`
    is shown where there is no answer."""
    mark = b"\n" + marker.encode()
    _, _, stream = (b"\n" + stdout).partition(mark + b"=")
    form, _, body = stream.partition(b"\n")
    reason = truncated or ""
    if form == b"gzip":
        body, damaged = _unzip(body)
        reason = reason or damaged
    elif form != b"plain":
        reason = reason or _no_answer(stderr)
        body = b""
    sections: dict[str, Section] = {}
    opened, text, before = "", b"", None
    for piece in body.split(mark, _MOST_MARKS):
        kind, head = piece[:1], piece[1:].partition(b"\n")
        if len(head[0]) > 4 * MAX_LINE:
            continue
        if kind == b"<":
            opened, text = head[0].decode("ascii", "replace"), head[2]
        elif kind == b">":
            words = head[0].decode("utf-8", "replace").split(" ", 3)
            if words[0] == opened and len(words) == 4 and words[1].isdecimal():
                up = float(words[2]) if words[2].replace(".", "", 1).isdecimal() else None
                took = round(up - before, 2) if up is not None and before is not None and up >= before else None
                sections[opened] = Section(text.decode("utf-8", "replace"), int(words[1][:6]), words[3], took)
                before = up
            opened = ""
        elif kind == b"." and head[0] == b"end":
            return ScriptOutput(sections, True, "")
    return ScriptOutput(sections, False, reason or "the answer ends in the middle")


def _no_answer(stderr: bytes) -> str:
    said = one_line(stderr.decode("utf-8", "replace"))
    said = f"; it says: {said}" if said else ""
    return f"the host's answer is not the collection script's (a forced command, or no POSIX shell?){said}"


def _unzip(body: bytes) -> tuple[bytes, str]:
    """As much as can be had of gzip members and the plain bytes behind them, at most MAX_STDOUT bytes, and what was wrong
    with the rest."""
    out, members = bytearray(), 0
    while body.startswith(b"\x1f\x8b") and len(out) < MAX_STDOUT and members < _MOST_MEMBERS:
        members += 1
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(body, MAX_STDOUT - len(out))
        except zlib.error:
            return bytes(out), "the answer is damaged (not the gzip stream it should be)"
        if not member.eof:
            too_much = len(out) >= MAX_STDOUT
            return bytes(out), f"the answer is larger than {MAX_STDOUT // 1_000_000} MB" if too_much else ""
        body = member.unused_data
    if not out:
        return b"", "the answer is damaged (not the gzip stream it should be)"
    return bytes(out + body[: MAX_STDOUT - len(out)]), ""
