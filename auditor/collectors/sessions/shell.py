"""Reading a host by a shell: the POSIX script first; a host that does not answer like a POSIX system is asked as Windows."""

from __future__ import annotations

import re
import zlib

from auditor.collectors.collection import RawCollection, Request
from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import SUDO_CALLS, command
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.readers import shell
from auditor.model.facts import Platform
from auditor.transports.command import CommandResult
from auditor.transports.session import Shell


def read(session: Shell, request: Request) -> RawCollection:
    """One command for a POSIX host; a second one where it turns out to be a Windows. HostError where there is no session."""
    marker, posix = request.marker, request.posix
    if session.windows is not True:
        linux_requirements = request.requirements_of(Platform(family="linux"))
        form = "gzip" if session.compress and not posix.raw else "plain"
        # One line of stdin for each sudo: every one of them asks for itself.
        stdin = posix.password * SUDO_CALLS
        first = session.run(
            command(marker, arguments(linux_requirements.linux), form=form, deep=posix.deep, sudo=posix.sudo, stdin=stdin)
        )
        if session.windows is False or first.truncated or not _may_be_windows(first, marker):
            return RawCollection(marker=marker, requirements=linux_requirements, result=first)
    windows_requirements = request.requirements_of(Platform(family="windows"))  # thousands of rules: read for a Windows only
    result = session.run(shell.command(all_queries(windows_requirements), marker))
    if session.windows is None and f"\n{marker}=".encode() not in result.stdout.replace(b"\r\n", b"\n"):
        # No Windows either: the first answer says what it is.
        return RawCollection(marker=marker, requirements=linux_requirements, result=first)
    return RawCollection(marker=marker, requirements=windows_requirements, result=result, windows=True)


def _may_be_windows(result: CommandResult, marker: str) -> bool:
    """No POSIX shell ran the script, or one of Cygwin's kind did."""
    _, framed, stream = result.stdout.partition(f"{marker}=".encode())
    if not framed:
        return True
    form, _, body = stream.partition(b"\n")
    start = body[:4000]
    if form == b"gzip":
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 4000)
        except zlib.error:
            return False
    return re.search(rb"\nuname=(?:CYGWIN|MSYS|MINGW)", start) is not None
