"""The values that the loaded rules ask for: sysctls, keys and lines of configuration files.

Nothing here knows a rule. A key is `sysctl:net.core.somaxconn`, `file:/etc/login.defs#PASS_MAX_DAYS` or
`line:/etc/fstab#whole line`; a file's other lines are not read, so that no secret beside the value travels.
"""

from __future__ import annotations

import re

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.model.facts import Setting

SH = r"""
c_settings() {
  files=
  for item; do
    rest=${item#*:} kind=${item%%:*}
    case $kind in
      sysctl) file=/proc/sys/$rest ;;
      *) file=${rest%%#*} key=${rest#*#} ;;
    esac
    case $file/ in */../*) continue ;; esac
    case $file in /proc/sys/*) folder=/proc/sys/net ;; *) folder=${file%/*} ;; esac
    while [ ! -e "${folder:-/}" ] && [ "$kind" != sysctl ]; do folder=${folder%/*}; done
    if [ ! -e "$file" ]; then
      if [ -x "${folder:-/}" ]; then printf "%s\tabsent\t\n" "$item"; else printf "%s\tunreadable\t%s may not be searched\n" "$item" "$folder"; fi
    elif [ ! -r "$file" ] || [ ! -f "$file" ]; then
      printf "%s\tunreadable\tthis user may not read %s, or it is no file\n" "$item" "$file"
    elif [ "$kind" = sysctl ]; then
      printf "%s\tasked\t\n" "$item"
      files="$files $file"
    else
      case $kind in
        file)
          plain= left=$key
          while [ "$left" != "${left#*.}" ]; do plain="$plain${left%%.*}[.]" left=${left#*.}; done
          found=$(grep -a -E "^[[:space:]]*$plain$left([[:space:]=:]|\$)" "$file") ;;
        line) found=$(grep -a -F -x -e "$key" "$file") ;;
      esac
      case $? in
        0) printf "%s\n" "$found" | while IFS= read -r line; do printf "%s\tline\t%s\n" "$item" "$line"; done ;;
        1) printf "%s\tabsent\t\n" "$item" ;;
        *) printf "%s\tunreadable\tsearching %s failed\n" "$item" "$file" ;;
      esac
    fi
  done
  # Not by `read`: it reads byte by byte in dash, and a sysctl answers only the first read.
  [ -z "$files" ] || grep -H "" $files || :
}
"""


def parse(answers: Answers) -> Reading:
    settings: dict[str, Setting | None] = {}
    for line in answers.good("settings").text.split("\n"):
        if line.startswith("/proc/sys/"):
            path, _, value = line.removeprefix("/proc/sys/").partition(":")
            settings[argument(f"sysctl:{path}")] = Setting("present", value.strip())
            continue
        key, tab, rest = line.partition("\t")
        state, _, value = rest.partition("\t")
        if not tab:
            continue
        key = argument(key)  # the exchange of `.` and `/` undoes itself
        if state == "line":
            found = _value(key, value)
            if found is not None:
                settings[key] = Setting("present", found)
            settings.setdefault(key, Setting("absent"))
        elif state == "absent":
            settings[key] = Setting("absent")
        else:
            settings[key] = Setting("unreadable", reason=value or "reading it failed")
    denied = sum(1 for s in settings.values() if s and s.state == "unreadable")
    return Reading({"settings": settings}, partial=f"{denied} of {len(settings)} settings could not be read" if denied else "")


def argument(key: str) -> str:
    """A setting's key as the script takes it: a sysctl's name as its path under /proc/sys (sysctl(8): `.` and `/`
    change places)."""
    kind, _, name = key.partition(":")
    return f"sysctl:{name.translate(_SWAP)}" if kind == "sysctl" else key


_SWAP = str.maketrans("./", "/.")


def _value(key: str, line: str) -> str | None:
    """What follows the key in its line, without the separator, quotes and a trailing comment. None for a line that only
    resembles the key, whose dots the host's grep takes for any character."""
    if key.startswith("line:"):
        return line
    name, text = key.partition("#")[2], line.strip()
    if not text.lower().startswith(name.lower()):
        return None
    return re.sub(r"\s#.*", "", text[len(name) :]).strip(" \t=:").strip('"')


COLLECTOR = Collector(name="settings", sections=("settings",), sh=SH, parse=parse)
