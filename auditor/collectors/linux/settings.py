"""The values that the loaded rules ask for: sysctls, keys and lines of configuration files.

Nothing here knows a rule. A key is `sysctl:net.core.somaxconn`, `file:/etc/login.defs#PASS_MAX_DAYS` or
`line:/etc/fstab#whole line`; a file's other lines are not read, so that no secret beside the value travels.

Witness of completeness: a word for every key (without one it is not known), and the number of lines that were found.
"""

from __future__ import annotations

from collections import defaultdict

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux import file_formats
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
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
    elif [ "$kind" = line ]; then
      found=$(grep -a -F -x -e "$key" "$file")
      told $? line
    else
      plain= left=$key
      while [ "$left" != "${left#*.}" ]; do plain="$plain${left%%.*}[.]" left=${left#*.}; done
      plain=$plain$left
      case $file in
        /etc/ssh/ssh*_config | /etc/ssh/ssh*_config.d/*)
          # OpenSSH knows its words in any case; blocks and other files decide what is in force.
          for more in "$file".d/*.conf; do
            [ -e "$more" ] || continue
            found=$(grep -a -i -E "^[[:space:]]*($plain|Match|Host|Include)([[:space:]=\"]|\$)" "$more")
            told $? "in $more"
          done
          found=$(grep -a -i -E "^[[:space:]]*($plain|Match|Host|Include)([[:space:]=\"]|\$)" "$file") ;;
        *) found=$(grep -a -E "^[[:space:]]*$plain([[:space:]=:]|\$)" "$file") ;;
      esac
      told $? line
    fi
  done
  # Not by `read`: it reads byte by byte in dash, and a sysctl answers only the first read.
  [ -z "$files" ] || grep -H "" $files || :
}
# told STATUS HOW: what grep has found in a file, and how many lines that are.
told() {
  case $1 in
    0) printf "%s\n" "$found" | {
      lines=0
      while IFS= read -r line; do
        printf "%s\t%s\t%s\n" "$item" "$2" "$line"
        lines=$((lines + 1))
      done
      printf "%s\tlines\t%s\n" "$item" "$lines"
    } ;;
    1) if [ "$2" = line ]; then printf "%s\tabsent\t\n" "$item"; fi ;;
    *) printf "%s\tunreadable\tsearching %s failed\n" "$item" "$2" ;;
  esac
}
"""


def parse(output: ScriptOutput) -> CollectorResult:
    """`settings` by key; a key whose file could not be read is unreadable, not absent."""
    lines = output.good("settings").lines()
    found: defaultdict[str, _Found] = defaultdict(_Found)
    settings: dict[str, Setting | None] = {}
    for line in lines:
        if line.startswith("/proc/sys/"):
            path, _, value = line.removeprefix("/proc/sys/").partition(":")
            settings[argument(f"sysctl:{path}")] = Setting("present", value.strip())
            continue
        key, tab, rest = line.partition("\t")
        state, _, value = rest.partition("\t")
        if tab and state != "asked":
            found[argument(key)].add(state, value)  # the exchange of `.` and `/` undoes itself
    for key, said in found.items():
        settings[key] = said.setting(key, _in_container(output))
    denied = sum(1 for s in settings.values() if s and s.state == "unreadable")
    return CollectorResult(
        {"settings": settings}, partial=f"{denied} of {len(settings)} settings could not be read" if denied else ""
    )


def _in_container(output: ScriptOutput) -> bool:
    section = output.sections.get("kernels")
    return section is not None and section.text.startswith("inside=")


class _Found:
    """What was said of one key."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.lines: list[str] = []
        self.included: defaultdict[str, list[str]] = defaultdict(list)
        self.counted = 0

    def add(self, state: str, value: str) -> None:
        if state == "line":
            self.lines.append(value)
        elif state.startswith("in /"):
            self.included[state.removeprefix("in ")].append(value)
        elif state == "lines":
            self.counted += int(value[:9])
        else:
            self.states[state] = value

    def setting(self, key: str, in_container: bool) -> Setting:
        if "unreadable" in self.states:
            return Setting("unreadable", reason=self.states["unreadable"] or "reading it failed")
        if self.counted != len(self.lines) + sum(map(len, self.included.values())):
            return Setting("unreadable", reason="the lines that were found are not all there")
        if not self.lines and not self.included and "absent" not in self.states:
            return Setting("unreadable", reason="nothing was said of it")
        kind, _, rest = key.partition(":")
        if kind == "sysctl":
            if in_container:  # a namespace shows only a part of them (sysctl(5), network_namespaces(7))
                return Setting(
                    "unreadable", reason="this is a container, whose namespaces do not show every sysctl of the host"
                )
            return Setting("absent")
        path, _, name = rest.partition("#")
        if kind == "line":
            return Setting("present", name) if self.lines else Setting("absent")
        try:
            value = file_formats.value(path, name, self.lines, self.included)
        except FactUnavailable as e:
            return Setting("unreadable", reason=str(e))
        return Setting("absent") if value is None else Setting("present", value)


def argument(key: str) -> str:
    """A setting's key as the script takes it: a sysctl's name as its path under /proc/sys (sysctl(8): `.` and `/`
    change places)."""
    kind, _, name = key.partition(":")
    return f"sysctl:{name.translate(_SWAP)}" if kind == "sysctl" else key


_SWAP = str.maketrans("./", "/.")


COLLECTOR = Collector(name="settings", sections=("settings",), sh=SH, parse=parse, reads=("kernels",))
