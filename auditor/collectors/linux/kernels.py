"""The running kernel and the installed ones.

Installed kernels are the images in /boot (and in /usr/lib/modules, where Fedora's and RHEL's lie too), without backups of
images. Inside a container the running kernel is not the host's to choose, so none counts as installed there; an image of
the running kernel contradicts a sign of a container, which may have been left behind. Live patches (kpatch, Canonical's, SUSE's)
are those that the kernel has enabled (Documentation/ABI/testing/sysfs-kernel-livepatch).

Witness of completeness: the script counts the images that it names, and every installed package of an image
(linux-image-RELEASE) has one.
"""

from __future__ import annotations

import re

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import Kernels
from auditor.versions import kernel_release

SH = r"""
c_kernels() {
  for file in /run/systemd/container /.dockerenv /run/.containerenv; do
    [ -e "$file" ] && printf "inside=%s\n" "$file"
  done
  if [ -e /boot ] && { [ ! -r /boot ] || [ ! -x /boot ]; }; then
    printf "/boot may not be listed by this user\n" >&2
    return 13
  fi
  images=0
  for file in /boot/vmlinuz-* /boot/vmlinux-* /boot/Image-* /boot/kernel-* /usr/lib/modules/*/vmlinuz; do
    [ -e "$file" ] && printf "image=%s\n" "$file" && images=$((images + 1))
  done
  printf "images=%s\n" "$images"
  for file in /sys/kernel/livepatch/*/enabled; do
    [ -r "$file" ] && read -r on <"$file" && [ "$on" = 1 ] && printf "livepatch=%s\n" "${file%/enabled}"
  done
  return 0
}
"""

# A line of dpkg-query: what is installed of linux-image-RELEASE; a metapackage's name (linux-image-amd64) has no version in it.
_IMAGE_PACKAGE = re.compile(r"^ii[^\t\n]{0,9}\tlinux-image-(\d[^\t\n.]{0,99}\.[^\t\n]{0,199})\t", re.MULTILINE)
_RELEASE = re.compile(r"[0-9][A-Za-z0-9.+~_-]{1,80}")
# Debian's builds, and those of its relatives, end `uname -v` with their package's version: "Debian 6.1.119-1 (2024-11-22)".
_BUILT_AS = re.compile(r" [A-Z][A-Za-z]{2,20} (\d\S{1,80}) \(\d{4}-\d\d-\d\d\)")


def parse(output: ScriptOutput) -> CollectorResult:
    """`kernels`: the running release, and those that can be booted."""
    uname = next((ln for ln in output.get("identity").lines(100) if ln.startswith("uname=Linux ")), "")
    running = uname.removeprefix("uname=Linux ").partition(" ")[0]
    built = _BUILT_AS.search(uname)
    package = built[1] if built else _ubuntu(running, uname)

    def untold(why: str) -> CollectorResult:
        return CollectorResult({"kernels": Kernels(running or None, None, package)}, partial=f"installed kernels: {why}")

    try:
        lines = output.good("kernels").lines(5000, "kernel images")
    except FactUnavailable as e:
        return untold(str(e))
    images = [line.removeprefix("image=") for line in lines if line.startswith("image=")]
    if f"images={len(images)}" not in lines:
        return untold("the list of images is not whole")
    named = set(map(_release, images))
    releases = {r for r in named if not kernel_release.is_backup(r, named)}
    packaged = _packaged(output)
    if running not in releases and any(line.startswith("inside=") for line in lines):
        if releases or packaged:
            return untold("there are signs of a container here, and kernels of a machine's own beside them")
        return CollectorResult({"kernels": Kernels(running or None, (), package, outside=True)})
    odd = sorted(r for r in releases if not _RELEASE.fullmatch(r))
    if odd:
        return untold(f"{', '.join(odd[:5])} name no release")
    missing = sorted(packaged - releases)
    if missing and releases:
        return untold(f"the package of {missing[0]} is installed, and its image is not there")
    return CollectorResult(
        {"kernels": Kernels(running or None, tuple(sorted(releases)), package, livepatches=_livepatches(lines))}
    )


def _ubuntu(running: str, uname: str) -> str | None:
    """The package version that an Ubuntu kernel was built as: its release has all but the last number, which `uname -v` has:
    `#47-Ubuntu` of 3.13.0-24-generic is 3.13.0-24.47, `#45~22.04.1-Ubuntu` ends in `.45~22.04.1`."""
    upload = re.search(r" #(\d{1,6}(?:~[\d.]{1,20})?)-Ubuntu ", f"{uname} ")
    abi = re.match(r"\d[\d.]{1,20}-\d{1,6}(?=-)", running)
    return f"{abi[0]}.{upload[1]}" if upload and abi else None


def _packaged(output: ScriptOutput) -> set[str]:
    """The releases whose image packages dpkg lists as installed; none where it lists nothing."""
    section = output.sections.get("packages")
    found = {m.removesuffix("-unsigned") for m in _IMAGE_PACKAGE.findall(section.text)} if section else set()
    return {r for r in found if not r.endswith(("-dbg", "-dbgsym"))}


def _livepatches(lines: list[str]) -> tuple[str, ...]:
    paths = (line.removeprefix("livepatch=") for line in lines if line.startswith("livepatch=/"))
    return tuple(sorted({one_line(path.rpartition("/")[2], 80) for path in paths}))


def _release(path: str) -> str:
    if path.startswith("/usr/lib/modules/"):
        return path.split("/")[4]
    return re.sub(r"^/boot/(?:vmlinu[xz]|Image|kernel)-", "", path)


COLLECTOR = Collector(name="kernels", sections=("kernels",), sh=SH, parse=parse, reads=("identity", "packages"))
