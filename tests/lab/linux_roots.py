"""Folders that hold the package database of another distribution, made by its own tools: rpm's, dpkg's, apk's; and
repositories with their advisories. `run_in_root` runs a command as on a host whose root such a folder is.

Needs root, and Debian's rpm, dpkg, dnf and createrepo-c. No repository of the network is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_DBPATH = "/var/lib/rpm"  # Debian's own rpm would take ~/.rpmdb, in a root as elsewhere
_MANAGERS = {"dpkg-query": "var/lib/dpkg/status", "rpm": "etc/rpm/macros", "apk": "lib/apk/db/installed"}


@dataclass(frozen=True)
class System:
    """What os-release(5) says."""

    id: str
    version_id: str | None = None
    name: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        """As distributions have it: the file below /usr/lib, and a link to it below /etc."""
        said = {"NAME": self.name or self.id, "ID": self.id}
        if self.version_id is not None:
            said["VERSION_ID"] = self.version_id
        said["PRETTY_NAME"] = " ".join([said["NAME"], *([self.version_id] if self.version_id else [])])
        text = "".join(f'{key}="{value}"\n' for key, value in (said | dict(self.extra)).items())
        _write(root / "usr/lib/os-release", text)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/os-release").symlink_to("../usr/lib/os-release")


ROCKY_8 = System("rocky", "8.10", "Rocky Linux", {"PLATFORM_ID": "platform:el8", "ID_LIKE": "rhel centos fedora"})
DEBIAN_12 = System("debian", "12", "Debian GNU/Linux", {"VERSION_CODENAME": "bookworm"})
ALPINE_3_20 = System("alpine", "3.20.3", "Alpine Linux")


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def _run(*command: str | Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Its stdout; RuntimeError with all it said, if it failed."""
    done = subprocess.run(
        command, capture_output=True, text=True, input=stdin, timeout=120,
        env=os.environ | {"LC_ALL": "C.UTF-8"} | dict(env or {}),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


# rpm


def build_rpm(
    folder: Path, name: str, version: str, release: str, *, epoch: int | None = None, arch: str = "x86_64",
    modularity: str | None = None, vendor: str | None = None, files: Iterable[str] = (), source: str | None = None,
    tags: Iterable[str] = (),
) -> Path:  # fmt: skip
    """An .rpm by rpmbuild, of any architecture: nothing is compiled. `modularity` is NAME:STREAM:VERSION:CONTEXT;
    `files` are absolute paths, whose content is their name; `source` is the name of the source package, if another;
    `tags` are further lines of the package's preamble ("Provides: x", "Obsoletes: y")."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = list(files)
    common = [f"Version: {version}", f"Release: {release}", "Summary: A package of the tests", "License: none"]
    common += [f"Epoch: {epoch}"] if epoch is not None else []
    common += [f"Vendor: {vendor}"] if vendor is not None else []
    common += ["AutoReqProv: no"]
    spec = [f"%global modularitylabel {modularity}"] if modularity is not None else []
    spec += [f"Name: {source or name}", *common, *(tags if source in (None, name) else ())]
    described = ""
    if source not in (None, name):
        described = f"-n {name}"
        spec += ["%description", ".", f"%package {described}", "Summary: A part of it", *tags]
    spec += [f"%description {described}", ".", "%install"]
    spec += [f'mkdir -p "%{{buildroot}}{Path(p).parent}"; echo "{p}" >"%{{buildroot}}{p}"' for p in paths]
    spec += [f"%files {described}", *paths]
    with tempfile.TemporaryDirectory(prefix="auditor-rpmbuild-") as scratch:
        file = _write(Path(scratch) / "package.spec", "\n".join(spec) + "\n")
        defined = {
            "_topdir": f"{scratch}/top", "_dbpath": f"{scratch}/db", "_tmppath": scratch, "_rpmdir": f"{scratch}/out",
            "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm", "debug_package": "%{nil}", "_build_id_links": "none",
            "__os_install_post": "%{nil}",  # no strip, which the architecture of the files might not suit
        }  # fmt: skip
        defines = [word for key, value in defined.items() for word in ("--define", f"{key} {value}")]
        _run("rpmbuild", "-bb", "--quiet", "--target", f"{arch}-linux", *defines, file)
        (built,) = (Path(scratch) / "out").glob("*.rpm")
        return Path(shutil.move(built, folder / built.name))


def rpm_root(
    folder: Path, rpms: Iterable[Path], system: System = ROCKY_8, *, streams: Mapping[str, str] | None = None,
    repositories: Mapping[str, str] | None = None, dbpath: str = _DBPATH,
) -> Path:  # fmt: skip
    """A root into which rpm installed `rpms`, each truly (several versions of a package beside one another too); only
    dependencies and architectures are not looked at. The database is of sqlite, as on RHEL 9; Debian's rpm writes no other.
    `dbpath` is /usr/lib/sysimage/rpm on Fedora, RHEL 10 and SUSE. `streams`: module to enabled stream, as dnf writes it down;
    `repositories`: name of a file in /etc/yum.repos.d to its text."""
    folder.mkdir(parents=True, exist_ok=True)
    system.write(folder)
    _write(folder / "etc/rpm/macros", f"%_dbpath {dbpath}\n")  # for the rpm that runs in the root
    for module, stream in (streams or {}).items():
        text = f"[{module}]\nname={module}\nstream={stream}\nprofiles=\nstate=enabled\n"
        _write(folder / f"etc/dnf/modules.d/{module}.module", text)
    for name, text in (repositories or {}).items():
        _write(folder / "etc/yum.repos.d" / name, text)
    (folder / dbpath[1:]).mkdir(parents=True)
    into = ["rpm", "--root", str(folder), "--dbpath", dbpath]
    _run(*into, "--initdb")
    if files := [str(r) for r in rpms]:
        _run(*into, "-i", "--nodeps", "--ignorearch", "--ignoreos", "--nosignature", "--force", *files)
    return folder


_INDEXES = [
    "Basenames", "Conflictname", "Dirnames", "Enhancename", "Filetriggername", "Group", "Installtid", "Name", "Obsoletename",
    "Providename", "Recommendname", "Requirename", "Sha1header", "Sigmd5", "Suggestname", "Supplementname", "Transfiletriggername", "Triggername",
]  # fmt: skip


def as_berkeley_db(root: Path, dbpath: str = _DBPATH) -> Path:
    """Turns the database into what RHEL 8 and those before it have, Berkeley DB's: the same headers, put there by Berkeley
    DB's own tool. Debian's rpm reads such a database and cannot write it. The indexes are empty: `rpm -qa` answers,
    `rpm -q NAME` does not. Returns the file of the packages."""
    folder = root / dbpath[1:]
    with contextlib.closing(sqlite3.connect(folder / "rpmdb.sqlite")) as old:
        rows = [(int(number), bytes(blob)) for number, blob in old.execute("SELECT hnum, blob FROM Packages ORDER BY hnum")]
    for file in folder.glob("rpmdb.sqlite*"):
        file.unlink()
    last = struct.pack("<I", rows[-1][0] if rows else 0)  # kept as header number 0
    pairs = "".join(f" {struct.pack('<I', number).hex()}\n {blob.hex()}\n" for number, blob in [(0, last), *rows])
    for name, kind, data in [("Packages", "hash", pairs), *((index, "btree", "") for index in _INDEXES)]:
        head = f"VERSION=3\nformat=bytevalue\ntype={kind}\ndb_pagesize=4096\nHEADER=END\n"
        _run("db5.3_load", folder / name, stdin=f"{head}{data}DATA=END\n")
    with (root / "etc/rpm/macros").open("a") as macros:
        macros.write("%_db_backend bdb_ro\n")
    return folder / "Packages"


# dpkg


def dpkg_root(folder: Path, stanzas: Iterable[Mapping[str, str]], system: System = DEBIAN_12) -> Path:
    """A root into which dpkg installed an empty package for each stanza (fields of deb-control(5): Package and Version
    at least), and dpkg, base-files and libc6 of Debian 12, if no stanza is of them. A stanza's `Status` is no field of a
    package: its first word ("hold") is set as the selection."""
    for part in ("info", "updates", "triggers"):
        (folder / "var/lib/dpkg" / part).mkdir(parents=True, exist_ok=True)
    (folder / "var/lib/dpkg/status").touch()
    system.write(folder)
    wanted = list(stanzas)
    for name, version in (("dpkg", "1.21.22"), ("base-files", "12.4+deb12u8"), ("libc6", "2.36-9+deb12u9")):
        if name not in {s["Package"] for s in wanted}:
            source = {"Source": "glibc"} if name == "libc6" else {}
            wanted.append({"Package": name, "Version": version, "Section": "libs" if source else "admin", **source})
    own = _run("dpkg", "--print-architecture").strip()
    dpkg = ["dpkg", f"--root={folder}", "--force-all", "--log=/dev/null"]
    with tempfile.TemporaryDirectory(prefix="auditor-dpkg-") as scratch:
        debs, selections = [], []
        for number, stanza in enumerate(wanted):
            usual = {
                "Architecture": own,
                "Maintainer": "The tests <tests@example.org>",
                "Description": "A package of the tests",
            }
            control = {**usual, **stanza}
            if status := control.pop("Status", ""):
                selections.append(f"{control['Package']}:{control['Architecture']} {status.split()[0]}\n")
            _write(Path(scratch) / f"{number}/DEBIAN/control", "".join(f"{k}: {v}\n" for k, v in control.items()))
            debs.append(f"{scratch}/{number}.deb")
            _run("dpkg-deb", "-Znone", "--nocheck", "--build", f"{scratch}/{number}", debs[-1])
        for arch in sorted({s.get("Architecture", own) for s in wanted} - {own, "all"}):
            _run(*dpkg, "--add-architecture", arch)
        _run(*dpkg, "--install", *debs)
        if selections:
            _run(*dpkg, "--set-selections", stdin="".join(selections))
    return folder


# apk


def apk_root(
    folder: Path, packages: Iterable[Mapping[str, str]], system: System = ALPINE_3_20, *, arch: str = "x86_64"
) -> Path:
    """A root with the file in which apk notes what is installed, written by hand: Debian 12 has no apk-tools, so this is
    the one database here that its own tool did not make. A package is a mapping of apk's letters (P name, V version,
    and what else is wanted: A architecture, o origin, c commit, s below a repository's tag, ...); the letters that apk
    always writes are filled in. Makes alpine-baselayout, apk-tools and musl, if no package is of them."""
    wanted = list(packages)
    for name, version in (("alpine-baselayout", "3.6.5-r0"), ("apk-tools", "2.14.4-r1"), ("musl", "1.2.5-r0")):
        if name not in {p["P"] for p in wanted}:
            wanted.append({"P": name, "V": version})
    system.write(folder)
    records = []
    for package in wanted:
        usual = {
            "C": "Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=", "P": "", "V": "", "A": arch, "S": "1024", "I": "4096", "T": "A package of the tests",
            "U": "https://example.org/", "L": "MIT", "o": package["P"], "m": "The tests <tests@example.org>", "t": "1717000000",
            "c": "0" * 40,
        }  # fmt: skip
        own = f"F:usr\nF:usr/share\nF:usr/share/{package['P']}\nR:readme\na:0:0:644\nZ:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\n"
        records.append("".join(f"{k}:{v}\n" for k, v in (usual | dict(package)).items()) + own)
    _write(folder / "lib/apk/db/installed", "".join(record + "\n" for record in records))
    _write(folder / "lib/apk/db/triggers", "")
    _write(folder / "etc/apk/arch", arch + "\n")
    _write(folder / "etc/apk/world", "".join(f"{p['P']}\n" for p in wanted))
    branch = ".".join((system.version_id or "edge").split(".")[:2])
    _write(folder / "etc/apk/repositories", f"https://dl-cdn.alpinelinux.org/alpine/v{branch}/main\n")
    _write(folder / "etc/alpine-release", f"{system.version_id or 'edge'}\n")
    return folder


# Running in a root

# Run as `sh -c _ENTER enter ROOT HIDDEN ENTERED COMMAND...` in mount and process id namespaces of its own. The root and this machine's
# /usr lie below file systems in memory, so whatever the command writes is gone with it, and what is hidden is removed there.
_ENTER = r"""
set -e
mount -t tmpfs none /mnt
mkdir -p /mnt/from /mnt/root /mnt/up /mnt/work /mnt/usr-up /mnt/usr-work
mount --bind "$1" /mnt/from
hidden=$2 entered=$3
shift 3
mount -t overlay -o lowerdir=/mnt/from,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mkdir -p usr etc/alternatives proc sys dev tmp run boot root var
chmod 1777 tmp
lower=/usr
[ ! -d /mnt/from/usr ] || lower=/mnt/from/usr:/usr
mount -t overlay -o lowerdir=$lower,upperdir=/mnt/usr-up,workdir=/mnt/usr-work overlay usr
for name in bin sbin lib lib64; do
  if [ -d $name ] && [ ! -L $name ]; then  # a system that keeps it apart from /usr
    for entry in /usr/$name/*; do
      [ -e "$name/${entry##*/}" ] || ln -s "../usr/$name/${entry##*/}" "$name/"
    done
  else
    [ -L $name ] || ln -s usr/$name $name
  fi
done
for file in passwd group nsswitch.conf ld.so.cache; do
  [ -e etc/$file ] || [ ! -e /etc/$file ] || cp /etc/$file etc/
done
mount --bind /etc/alternatives etc/alternatives
[ -d /mnt/from/usr/lib/modules ] || [ ! -d usr/lib/modules ] || mount -t tmpfs none usr/lib/modules
[ -e /mnt/from/usr/lib/os-release ] || rm -f usr/lib/os-release
for tool in $hidden; do
  rm -f usr/bin/$tool usr/sbin/$tool
done
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
touch "$entered"
exec chroot . "$@"
"""


def run_in_root(
    root: Path,
    argv: Sequence[str],
    *,
    hidden: Iterable[str] | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command as on a host with this root: its /etc, /var, /lib/apk; the programs are this machine's, and so is the
    kernel. The processes it sees are its own; it may write, but nothing of that reaches the root. Of dpkg-query, rpm and
    apk those whose database the root lacks are not there, unless `hidden` names other programs."""
    lacking = [tool for tool, database in _MANAGERS.items() if not (root / database).exists()]
    words = lacking if hidden is None else list(hidden)
    usual = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="auditor-root-") as scratch:
        entered = Path(scratch) / "entered"
        enter = ["sh", "-c", _ENTER, "enter", str(root), " ".join(words), str(entered), *argv]
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *enter]
        done = subprocess.run(apart, capture_output=True, input=stdin, timeout=60, env=usual | dict(env or {}))
        if not entered.exists():  # no answer of the command's
            raise RuntimeError(f"{root} could not be entered: {done.stderr.decode(errors='replace')}")
    return done


# Repositories and their advisories


def repository(folder: Path, rpms: Iterable[Path], updateinfo_xml: str | None = None, modules_yaml: str | None = None) -> Path:
    """A repository by createrepo_c, with what modifyrepo_c adds: advisories, and the metadata of modules (without which
    dnf takes no package that has a ModularityLabel)."""
    folder.mkdir(parents=True, exist_ok=True)
    for rpm in rpms:
        shutil.copy(rpm, folder)
    _run("createrepo_c", "--quiet", "--no-database", "--general-compress-type=gz", folder)
    for kind, name, text in (("updateinfo", "updateinfo.xml", updateinfo_xml), ("modules", "modules.yaml", modules_yaml)):
        if text is not None:
            with tempfile.TemporaryDirectory(prefix="auditor-repository-") as scratch:
                _run("modifyrepo_c", f"--mdtype={kind}", _write(Path(scratch) / name, text), folder / "repodata")
    return folder


def dnf_updateinfo(
    root: Path, repo: Path, *, which: Literal["available", "updates", "installed", "all"] = "available", arch: str = "x86_64",
    dbpath: str = _DBPATH,
) -> set[tuple[str, str]]:  # fmt: skip
    """Advisory and package of each line of `dnf updateinfo list`, asked of nothing but `repo`."""
    with _dnf(root, repo, arch, dbpath) as (command, env):
        said = _run(*command, "updateinfo", "list", f"--{which}", env=env)
    found = set()
    for line in said.splitlines():
        row = re.fullmatch(r"(?:i )?\s*(\S+)\s+(\S+)\s+(\S+-\S+-\S+\.\S+)", line)
        if not row:
            raise RuntimeError(f"dnf said a line that is no advisory: {line}")
        found.add((row[1], row[3]))
    return found


@contextlib.contextmanager
def _dnf(root: Path, repo: Path, arch: str, dbpath: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """dnf and its environment for a copy of the root, as it would keep its caches in the root."""
    with tempfile.TemporaryDirectory(prefix="auditor-dnf-") as scratch:
        copy = Path(shutil.copytree(root, Path(scratch) / "root", symlinks=True))
        _write(Path(scratch) / ".rpmmacros", f"%_dbpath {dbpath}\n")  # in HOME: dnf has no option for it
        command = [
            "dnf", "--quiet", "--noplugins", f"--config={_write(Path(scratch) / 'dnf.conf', '[main]')}", f"--installroot={copy}",
            "--releasever=0", f"--forcearch={arch}", f"--setopt=reposdir={scratch}/none", f"--setopt=varsdir={scratch}/none",
            f"--repofrompath=lab,file://{repo}", "--repo=lab", "--setopt=lab.gpgcheck=0", "--setopt=lab.skip_if_unavailable=0",
        ]  # fmt: skip
        yield command, {"HOME": scratch}
