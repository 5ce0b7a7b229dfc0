"""The processes of a host, by process id: /proc/PID/status, in which the kernel escapes what a name could forge (proc(5)).

For each: does it have memory of its own (kernel threads and zombies have none), and is it the host's own, or in a process
id namespace of its own with another root, as those of containers are (device and root of `/` in mountinfo)? Their files are
not this host's. A sandbox that keeps the host's root (systemd's PrivatePIDs=, bubblewrap) runs the host's files.
"""

from __future__ import annotations

import re

from msgspec import Struct

from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable

SH = r"""
c_process_names() {
  grep -s -E "^(Name|NSpid|VmSize):" /proc/[0-9]*/status | awk "
    BEGIN { own = mounts(\"self\") }
    {
      at = index(\$0, \"/status:\")
      pid = substr(\$0, 7, at - 7)
      rest = substr(\$0, at + 8)
      if (pid != last) { row(); last = pid; kind = \"-\"; place = \"host\"; name = \"\" }
    }
    rest ~ /^Name:/ { name = substr(rest, 7) }
    rest ~ /^NSpid:/ && split(rest, ids, \"\t\") > 2 { theirs = mounts(pid); if (theirs != \"\" && theirs != own) place = \"apart\" }
    rest ~ /^VmSize:/ { kind = \"u\" }
    END { row(); print \"=rows= \" rows + 0 }
    function row() { if (last != \"\") { print last \" \" kind \" \" place \" \" name; rows++ } }
    function mounts(pid, file, line, part, root, n) {
      file = \"/proc/\" pid \"/mountinfo\"
      while ((getline line < file) > 0 && n++ < 500) if (split(line, part, \" \") > 4 && part[5] == \"/\") root = part[3] \" \" part[4]
      close(file)
      return root
    }"
}
"""

_ROW = re.compile(r"(\d{1,10}) (u|-) (host|apart) (.{0,200})")


class Process(Struct, frozen=True):
    """`mapped`: it has memory of its own; `apart`: its files are another system's, a container's."""

    name: str
    mapped: bool
    apart: bool


def processes(output: ScriptOutput) -> dict[int, Process]:
    """All processes; FactUnavailable where the list is not whole, or not all of them can be seen (proc(5), hidepid)."""
    lines = output.good("process_names").lines(what="processes")
    found = [row for line in lines if (row := _ROW.fullmatch(line))]
    if lines[-1:] != [f"=rows= {len(found)}"]:
        raise FactUnavailable("the list of processes is not whole")
    table = {int(pid): Process(name, kind == "u", place == "apart") for pid, kind, place, name in (r.groups() for r in found)}
    if 1 not in table:
        raise FactUnavailable("this user cannot see the processes of others (hidepid, proc(5))")
    return table
