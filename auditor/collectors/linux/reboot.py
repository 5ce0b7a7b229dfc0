"""Does the host say that it waits for a restart?

The flag is /run/reboot-required; the packages that asked are in /run/reboot-required.pkgs. Its absence means something
only where a program that would write it is installed: unattended-upgrades' hook, or update-notifier-common's program. The
latter's hook does nothing without the program, and stays behind when the package is removed.

Witness of completeness: the script says whether it found the flag, yes or no; without that word nothing is known.
"""

from __future__ import annotations

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.model.facts import Reboot

SH = r"""
c_reboot() {
  flagged=no
  for file in /run/reboot-required /var/run/reboot-required; do
    [ -e "$file" ] && printf "flag=%s\n" "$file" && flagged=yes
  done
  for file in /etc/kernel/postinst.d/unattended-upgrades /usr/share/update-notifier/notify-reboot-required; do
    [ -x "$file" ] && printf "writer=%s\n" "$file"
  done
  [ -r /run/reboot-required.pkgs ] && while IFS= read -r line; do printf "package=%s\n" "$line"; done </run/reboot-required.pkgs
  printf "flagged=%s\n" "$flagged"
}
"""


def parse(output: ScriptOutput) -> CollectorResult:
    """`reboot`: does the host ask for a restart, and would anything on it?"""
    said = [line.partition("=")[::2] for line in output.good("reboot").lines(5000)]
    found = dict(said).get("flagged")
    if found not in ("yes", "no"):
        raise FactUnavailable("whether the flag is there was not said")
    writers = tuple(value for key, value in said if key == "writer")
    packages = tuple(sorted({value for key, value in said if key == "package"}))
    flagged = found == "yes" or any(key == "flag" for key, _ in said)
    return CollectorResult({"reboot": Reboot(flagged, packages, writers)})


COLLECTOR = Collector(name="reboot", sections=("reboot",), sh=SH, parse=parse)
