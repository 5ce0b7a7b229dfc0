"""A script to carry to a Linux host that no network reaches; `auditor scan replay:FILE` audits the file that it writes."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import SCRIPT
from auditor.transports.replay import CARRIED_MARKER

NAME = "collect.sh"

_TEXT = """#!/bin/sh
# Reads this host for auditor: the same script as over SSH, of which `auditor commands` prints every command. It writes one
# file, auditor-HOST.txt in the current folder, and changes nothing. Run it as root: what another account may not read is
# missing from the answer. Take the file home; it is confidential: it names this host's weak spots.
umask 077
answer=auditor-$(uname -n).txt
sh -c '%s' auditor %s plain usual none %s >"$answer.part" </dev/null && mv "$answer.part" "$answer" &&
  printf 'The answer is in %%s.\\n' "$answer"
"""


def script(settings: Iterable[str]) -> str:
    """The script's text; `settings` are those that rules ask for. The collection script holds no single quote."""
    return _TEXT % (SCRIPT, CARRIED_MARKER, " ".join(f"'{a}'" for a in sorted(set(arguments(settings)))))
