"""Where packages are taken from: sources.list(5) in both its forms, yum's and zypper's .repo files, apk's repositories; and the
module streams that dnf has enabled.

Logins in addresses are cut out on the host. Witness of completeness: the files are counted, and each must be readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import Repository

SH = r"""
shown() {
  files=0
  for file in "$@"; do
    [ -f "$file" ] || continue
    [ -r "$file" ] || { printf "%s may not be read by this user\n" "$file" >&2; return 13; }
    printf "=file= %s\n" "$file"
    sed -e "s|://[^/@ ]*@|://|g" "$file" && printf "\n"
    files=$((files + 1))
  done
  printf "=files= %s\n" "$files"
}
c_repositories() {
  shown /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources /etc/yum.repos.d/*.repo \
    /etc/zypp/repos.d/*.repo /etc/apk/repositories
}
c_module_streams() { shown /etc/dnf/modules.d/*.module; }
"""

_MOST = 2000  # repositories; a real host has fifty
_ONE_LINE = re.compile(r"deb[ \t]+(?:\[[^]]*\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]*(.*)")
_NO = ("no", "false", "0", "off", "without", "disable")


def parse(output: ScriptOutput) -> CollectorResult:
    """`repositories` and `module_streams`."""
    found = [r for name, text in _files(output, "repositories") for r in _repositories(name, text)]
    if len(found) > _MOST:
        raise FactUnavailable(f"more than {_MOST:,} repositories are named there, the limit up to which they are read")
    streams = sorted({s for _, text in _files(output, "module_streams") for s in _streams(text)})
    return CollectorResult({"repositories": tuple(dict.fromkeys(found)), "module_streams": tuple(streams)})


def _files(output: ScriptOutput, section: str) -> list[tuple[str, str]]:
    """Names and texts of the files that a section shows. FactUnavailable where not all came."""
    found = output.good(section)
    found.lines(what="lines of repositories")
    parts = re.split(r"^=file= ", found.text, flags=re.MULTILINE)
    last, _, count = parts[-1].rstrip("\n").rpartition("=files= ")
    parts[-1] = last
    if count != str(len(parts) - 1):
        raise FactUnavailable("the files of repositories did not come whole")
    return [part.partition("\n")[::2] for part in parts[1:]]


def _repositories(name: str, text: str) -> Iterator[Repository]:
    if name.endswith(".repo"):
        yield from _ini(text)
    elif name.endswith(".sources"):
        yield from _deb822(text)
    elif name.endswith("/apk/repositories"):
        for line in text.split("\n"):
            address = line.strip()
            if address and not address.startswith("#"):
                yield Repository("apk", one_line(address.rstrip("/").rpartition("/")[2]), one_line(address))
    else:
        for line in text.split("\n"):
            if found := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
                yield Repository("dpkg", one_line(found[2]), one_line(found[1]), tuple(found[3].split()))


def _deb822(text: str) -> Iterator[Repository]:
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, list[str]] = {}
        last: list[str] = []
        for line in stanza.split("\n"):
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                last += line.split()
            elif ":" in line:
                key, _, value = line.partition(":")
                last = fields[key.strip().lower()] = value.split()
        if "deb" not in fields.get("types", ()):
            continue
        enabled = (fields.get("enabled") or ["yes"])[0].lower() not in _NO
        for address in fields.get("uris", ())[:20]:
            for suite in fields.get("suites", ())[:50]:
                yield Repository("dpkg", one_line(suite), one_line(address), tuple(fields.get("components", ())[:20]), enabled)


def _ini(text: str) -> Iterator[Repository]:
    name, fields = "", dict[str, str]()
    for line in (*text.split("\n"), "[]"):
        if found := re.fullmatch(r"\[(.*)\]\s*", line):
            if name:
                address = fields.get("baseurl") or fields.get("mirrorlist") or fields.get("metalink") or ""
                yield Repository("rpm", name, one_line(address), (), fields.get("enabled", "1").lower() not in _NO)
            name, fields = one_line(found[1]), {}
        elif "=" in line and line[:1] not in ("#", ";", " ", "\t"):
            key, _, value = line.partition("=")
            fields[key.strip().lower()] = value.strip()


def _streams(text: str) -> Iterator[str]:
    name, stream, state = "", "", ""
    for line in (*text.split("\n"), "[]"):
        if found := re.fullmatch(r"\[([\w+.-]*)\]\s*", line):
            if name and stream and state == "enabled":
                yield f"{name}:{stream}"
            name, stream, state = found[1], "", ""
        else:
            key, _, value = line.partition("=")
            stream = one_line(value, 100) if key.strip() == "stream" else stream
            state = value.strip() if key.strip() == "state" else state


COLLECTOR = Collector(name="repositories", sections=("repositories", "module_streams"), sh=SH, parse=parse)
