"""ssh's own words in Ansible's variables: what they say of the way to a host, and whether anything in them is not understood.

ssh takes the first of each setting that it is given (ssh_config(5)), so they are read in the order in which Ansible hands them on.
"""

from __future__ import annotations

import shlex

from msgspec import Struct

from auditor.model.target import Target, parse_hop

# Neither who is reached, nor how, nor as whom.
_FLAGS = frozenset("1246aAfgkKMnNqstTvVxXyYC")
_HARMLESS = frozenset(
    [
        "controlmaster",
        "controlpersist",
        "controlpath",
        "serveraliveinterval",
        "serveralivecountmax",
        "connecttimeout",
        "connectionattempts",
        "compression",
        "loglevel",
        "batchmode",
        "preferredauthentications",
        "pubkeyauthentication",
        "passwordauthentication",
        "kbdinteractiveauthentication",
        "forwardagent",
        "forwardx11",
        "gssapiauthentication",
        "gssapidelegatecredentials",
        "tcpkeepalive",
        "identitiesonly",
        "addkeystoagent",
        "requesttty",
        "sendenv",
        "setenv",
        "visualhostkey",
        "numberofpasswordprompts",
        "rekeylimit",
        "ipqos",
        "exitonforwardfailure",
        "escapechar",
        "permitlocalcommand",
        "hashknownhosts",
        "stricthostkeychecking",
        "userknownhostsfile",
        "globalknownhostsfile",
        "updatehostkeys",
        "checkhostip",
        "nohostauthenticationforlocalhost",
        "hostkeyalgorithms",
        "pubkeyacceptedalgorithms",
        "pubkeyacceptedkeytypes",
        "kexalgorithms",
        "ciphers",
        "macs",
        "casignaturealgorithms",
    ]
)
# Of these, what somebody relaxed there is not relaxed here; that is worth a word.
_STRICTER = frozenset(
    (
        "stricthostkeychecking",
        "userknownhostsfile",
        "globalknownhostsfile",
        "hostkeyalgorithms",
        "kexalgorithms",
        "ciphers",
        "macs",
    )
)


_FAMILIES = {"4": "inet", "6": "inet6"}


class Words(Struct):
    """`family` is AddressFamily; `odd` is what is not understood: the host is not reached without it; `left` is what is not taken, and does no harm."""

    jump: tuple[Target, ...] | None = None
    port: int | None = None
    user: str | None = None
    key: str | None = None
    family: str = ""
    odd: str = ""
    left: tuple[str, ...] = ()


def read(text: str) -> Words:
    """The words of one variable."""
    found = Words()
    try:
        words = shlex.split(text[:8000])
    except ValueError:
        return Words(odd=f"{text[:80]!r} is not closed")
    while words:
        word = words.pop(0)
        if not word.startswith("-") or len(word) < 2:
            found.odd = found.odd or f"{word[:80]!r}"
            continue
        flags = word[1:]
        while flags and flags[0] in _FLAGS:
            if flags[0] in _FAMILIES:
                found.family = found.family or _FAMILIES[flags[0]]
            flags = flags[1:]
        if flags:
            value = flags[1:] or (words.pop(0) if words else "")
            _option(found, flags[0], value)
    return found


def _option(found: Words, flag: str, value: str) -> None:
    keyword = {"J": "proxyjump", "p": "port", "l": "user", "i": "identityfile"}.get(flag)
    if flag == "o":
        keyword, _, value = (part.strip() for part in value.replace("=", " ", 1).strip().partition(" "))
        keyword = keyword.lower()
    if keyword is None:
        found.odd = found.odd or f"-{flag} {value[:60]}".strip()
        return
    value = value.strip().strip('"')
    try:
        if keyword == "proxyjump":
            _jump(found, () if value.lower() == "none" else tuple(_hop(hop) for hop in value.split(",")))
        elif keyword == "proxycommand":
            _jump(found, () if value.lower() == "none" else _through(value))
        elif keyword == "port":
            found.port = found.port or int(value)
        elif keyword == "user":
            found.user = found.user or value
        elif keyword == "addressfamily" and value.lower() in ("any", "inet", "inet6"):
            found.family = found.family or value.lower()
        elif keyword == "identityfile":
            found.key = found.key or value
        elif keyword not in _HARMLESS:
            found.odd = found.odd or f"{keyword} {value[:60]}"
        elif keyword in _STRICTER:
            found.left = (*found.left, keyword)
    except ValueError:
        found.odd = found.odd or f"{keyword} {value[:60]}"


def _jump(found: Words, jump: tuple[Target, ...]) -> None:
    if found.jump is not None:
        found.odd = found.odd or "two ways through other hosts"
    found.jump = jump


def _hop(text: str) -> Target:
    return parse_hop(text.strip().removeprefix("ssh://").rstrip("/"))


def _through(command: str) -> tuple[Target, ...]:
    """`ssh -W %h:%p [-q] [-p PORT] [-l USER] [USER@]HOST`, which is a ProxyJump; ValueError for any other command."""
    words = shlex.split(command)
    if not words or words.pop(0) not in ("ssh", "/usr/bin/ssh"):
        raise ValueError("no ssh")
    port = user = forward = None
    host: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-W", "-p", "-l") and words:
            value = words.pop(0)
            forward, port, user = (
                value if word == "-W" else forward,
                value if word == "-p" else port,
                value if word == "-l" else user,
            )
        elif word == "-o" and words and words[0].partition("=")[0].lower() in _HARMLESS:
            words.pop(0)
        elif word.startswith("-"):
            if word.strip("-") not in ("q", "T", "x", "A", "a"):
                raise ValueError(word)
        else:
            host.append(word)
    if len(host) != 1 or (forward or "").strip('"') not in ("%h:%p", "[%h]:%p"):
        raise ValueError("another command")
    return (
        (_hop(f"{user}@{host[0]}" if user else host[0] + (f":{int(port)}" if port else "")),)
        if not (user and port)
        else (_hop(f"{user}@{host[0]}:{int(port)}"),)
    )
