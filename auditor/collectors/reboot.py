"""Does the host say that it waits for a restart?

The flag is /run/reboot-required; the packages that asked are in /run/reboot-required.pkgs. Its absence means something
only where a program that would write it is installed (unattended-upgrades, update-notifier-common).
"""

from __future__ import annotations

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.model.facts import Reboot

SH = r"""
c_reboot() {
  for file in /run/reboot-required /var/run/reboot-required; do
    [ -e "$file" ] && printf "flag=%s\n" "$file"
  done
  for file in /etc/kernel/postinst.d/unattended-upgrades /etc/kernel/postinst.d/update-notifier /usr/share/update-notifier/notify-reboot-required; do
    [ -e "$file" ] && printf "writer=%s\n" "$file"
  done
  [ -r /run/reboot-required.pkgs ] && while IFS= read -r line; do printf "package=%s\n" "$line"; done </run/reboot-required.pkgs
  :
}
"""


def parse(answers: Answers) -> Reading:
    said = [line.partition("=")[::2] for line in answers.good("reboot").text.split("\n")]
    writers = tuple(value for key, value in said if key == "writer")
    packages = tuple(sorted({value for key, value in said if key == "package"}))
    flagged = any(key == "flag" for key, _ in said)
    return Reading({"reboot": Reboot(flagged, packages, writers)})


COLLECTOR = Collector(name="reboot", sections=("reboot",), sh=SH, parse=parse)
