"""The collection script: one constant text per release, run by one `sh` in one exec.

The text is the frame below around every collector's own functions; nothing is ever edited into it. What varies goes in
as positional arguments (marker, form, depth, privilege, and the settings that rules ask for, checked against strict
patterns), so the text is known by its SHA-256 and `auditor commands` prints all that can run on a host.

It runs under dash, bash, busybox ash, ksh and mksh, and holds neither a single quote nor a double backslash, so that
quoted as one word it means the same to every login shell that has POSIX quotes, and to fish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from auditor.collectors.linux import LINUX
from auditor.model import setting_key
from auditor.transports.command import Command

_FRAME = r"""# auditor: read-only collection
[ $# -ge 4 ] || exit 64
case $2/$3/$4 in
  gzip/usual/none | gzip/usual/sudo | gzip/usual/sudo-password | gzip/deep/none | gzip/deep/sudo | gzip/deep/sudo-password) ;;
  plain/usual/none | plain/usual/sudo | plain/usual/sudo-password | plain/deep/none | plain/deep/sudo | plain/deep/sudo-password) ;;
  *) exit 64 ;;
esac
M=$1 FORM=$2 DEPTH=$3 BECOME=$4
shift 4
NL="
"
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH LC_ALL=C LANGUAGE=C
export PATH LC_ALL LANGUAGE
unset GREP_OPTIONS GREP_COLORS POSIXLY_CORRECT CDPATH ENV BASH_ENV
exec 4<&0 </dev/null
U=$(id -u)
# section NAME FUNCTION [ARGUMENT...]: the output of a function between markers, with its exit status, the time
# (seconds since boot) and the first line of its errors.
section() {
  name=$1 run=$2
  shift 2
  printf "\n%s<%s\n" "$M" "$name"
  { err=$("$run" "$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
  up=0
  IFS=" " read -r up rest 2>/dev/null </proc/uptime
  printf "\n%s>%s %s %s %s\n" "$M" "$name" "$status" "$up" "${err%%"$NL"*}"
}
# as_sudo COMMAND: a listed command with constant arguments, each by a sudo of its own, never a shell. A password comes
# as one line of stdin for each sudo, and goes on by a builtin, so that no process list shows it; after one refusal the
# other line is dropped, so that a wrong password is tried once.
as_sudo() {
  if [ "$BECOME" = sudo ]; then
    sudo -n -- "$@"
    return
  fi
  if ! IFS= read -r word <&4; then
    printf "the password was refused before\n" >&2
    return 1
  fi
  { if [ -n "$KSH_VERSION" ]; then print -r -- "$word"; else printf "%s\n" "$word"; fi; } | sudo -k -S -p "" -- "$@" && return
  IFS= read -r word <&4
  return 1
}
"""

_CALLS = r"""
quick() {
%s
}
slow() {
%s
}
if [ "$FORM" = gzip ] && command -v gzip >/dev/null 2>&1; then
  printf "\n%%s=gzip\n" "$M"
  quick "$@" | gzip -1c
  slow "$@"
else
  printf "\n%%s=plain\n" "$M"
  quick "$@"
  slow "$@"
fi
"""


def _calls(slow: bool) -> str:
    calls = [f'  section {s} c_{s} "$@"' for c in LINUX if c.slow is slow for s in c.sections]
    return "\n".join(calls + (['  printf "\\n%s.end\\n" "$M"'] if slow else []))


SCRIPT: str = _FRAME + "".join(c.sh.strip("\n") + "\n" for c in LINUX) + _CALLS % (_calls(False), _calls(True))
DIGEST: str = hashlib.sha256(SCRIPT.encode()).hexdigest()


def command(marker: str, settings: Iterable[str], *, form: str, deep: bool, sudo: str, stdin: bytes = b"") -> Command:
    """The one command of an audit. `form`: gzip | plain; `sudo`: none | sudo | sudo-password (then `stdin` has the
    password once for each of the script's sudo calls). Raises ValueError for a setting of a forbidden form."""
    keys = sorted(set(settings))
    for key in keys:
        if setting_key.problem(key) or setting_key.family(key) != "linux":
            raise ValueError(setting_key.problem(key) or f"{key} is nothing that the script can read")
    argv = ("sh", "-c", SCRIPT, "auditor", marker, form, "deep" if deep else "usual", sudo, *keys)
    return Command(argv, stdin=stdin, marker=marker)


# The commands that `as_sudo` is used with, as sudo sees them.
PRIVILEGED: tuple[str, ...] = tuple(p for c in LINUX for p in c.privileged)
SUDO_CALLS = sum(1 for c in LINUX if c.privileged)  # each collector asks at most once
