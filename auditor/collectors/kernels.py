"""The running kernel and the installed ones.

Installed kernels are the images in /boot (and in /usr/lib/modules, where Fedora's and RHEL's lie too). Inside a
container the running kernel is not the host's to choose, so none counts as installed there.
"""

from __future__ import annotations

import re

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.errors import CannotTell
from auditor.model.facts import Kernels

SH = r"""
c_kernels() {
  for file in /run/systemd/container /.dockerenv /run/.containerenv; do
    [ -e "$file" ] && printf "inside=%s\n" "$file"
  done
  if [ -e /boot ] && { [ ! -r /boot ] || [ ! -x /boot ]; }; then
    printf "/boot may not be listed by this user\n" >&2
    return 13
  fi
  for file in /boot/vmlinuz-* /boot/vmlinux-* /boot/Image-* /boot/kernel-* /usr/lib/modules/*/vmlinuz; do
    [ -e "$file" ] && printf "image=%s\n" "$file"
  done
  :
}
"""

_RELEASE = re.compile(r"[0-9][A-Za-z0-9.+~_-]{1,80}")
# Debian's and Ubuntu's builds name their package version in `uname -v`.
_DEBIAN = re.compile(r"\bDebian (\d\S*)")


def parse(answers: Answers) -> Reading:
    uname = next((ln for ln in answers.get("identity").text.split("\n") if ln.startswith("uname=Linux ")), "")
    running = uname.removeprefix("uname=Linux ").partition(" ")[0]
    built = _DEBIAN.search(uname)
    package = built[1] if built else None
    try:
        lines = answers.good("kernels").text.split("\n")
    except CannotTell as e:
        return Reading({"kernels": Kernels(running or None, None, package)}, partial=f"installed kernels: {e}")
    releases = {_release(line.removeprefix("image=")) for line in lines if line.startswith("image=")}
    if any(line.startswith("inside=") for line in lines):
        return Reading({"kernels": Kernels(running or None, (), package, outside=True)})
    odd = sorted(r for r in releases if not _RELEASE.fullmatch(r))
    if odd:
        kernels = Kernels(running or None, None, package)
        return Reading({"kernels": kernels}, partial=f"installed kernels: {', '.join(odd[:5])} name no release")
    return Reading({"kernels": Kernels(running or None, tuple(sorted(releases)), package)})


def _release(path: str) -> str:
    if path.startswith("/usr/lib/modules/"):
        return path.split("/")[4]
    return re.sub(r"^/boot/(?:vmlinu[xz]|Image|kernel)-", "", path).removesuffix(".old")


COLLECTOR = Collector(name="kernels", sections=("kernels",), sh=SH, parse=parse)
