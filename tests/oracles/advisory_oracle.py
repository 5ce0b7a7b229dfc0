"""Judges the packages of hosts by vendors' advisories, independently of the project: nothing of it is imported or copied.

It is run by Debian's own python3, whose `rpm` and `apt_pkg` compare versions with librpm and libapt:

    /usr/bin/python3 advisory_oracle.py --osv DIR... --csaf DIR... --debian-list FILE... --facts FILE.json...

Every advisory that concerns an installed package of a host gives one line of JSON: {"host", "advisory", "verdict", "packages"}; the
packages are those that are older than the fix, or of which that cannot be told: [name, installed, fixed].
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cmp_to_key
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import apt_pkg  # type: ignore[import-not-found]
import rpm  # type: ignore[import-not-found]

apt_pkg.init_system()

Document = dict[str, Any]

CODENAMES = {
    "woody": "3.0", "sarge": "3.1", "etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9",
    "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13",
}  # fmt: skip
OSV_NAMES = {"AlmaLinux": "almalinux", "Rocky Linux": "rocky"}
SUSE_CPE = re.compile(r"cpe:/o:suse:(suse_)?sles:(\d+)(?::sp(\d+))?$")
LEAP_CPE = re.compile(r"cpe:/o:opensuse:leap:(\d+\.\d+)$")
RED_HAT_STREAM_CPE = re.compile(r"cpe:/[ao]:redhat:rhel_(eus|aus|tus|e4s):(\d+\.\d+)(?:::.*)?$")
RED_HAT_CPE = re.compile(r"cpe:/[ao]:redhat:enterprise_linux:(\d+)(?:::(?!hypervisor).*)?$")
STREAM = re.compile(r"(?<!\S)([A-Za-z0-9][\w.+-]*:[\w.+-]*\w)(?![\w.+:-])")
# Kernels of which dnf and apt keep several, and those of them that can be the one that runs.
NO_KERNEL = re.compile(r"-(tools|headers|doc|docs|abi|rpm|srpm|cross|source|macros)(-|$)")
DEBIAN_KERNEL = re.compile(r"linux-(image|headers|kbuild)-\d[\d.]*(-(\d|rc|trunk)[\w.]*)?")
KERNEL_IMAGE = re.compile(
    r"kernel(-(rt|64k|debug|default|azure|preempt|16k|lpae|PAE))*(-core|-uki-virt)?$|linux-image-\d(?!.*-dbg$)"
)
ID = re.compile(r"(RH[SBE]A|CR[LX][SBE]A|CIQSA|SUSE-[SRFO]U|openSUSE-[SRFO]U)-")


@dataclass(frozen=True)
class Fix:
    """One build that an advisory names. `arch` is empty where the document says none, `streams` where it names no module."""

    advisory: str
    version: str
    arch: str = ""
    streams: frozenset[str] = frozenset()


Fixes = dict[tuple[str, str], list[Fix]]  # by product and package (of Debian: source package)


def modular(version: str) -> bool:
    return ".module+" in version or ".module_" in version


def rpm_parts(version: str) -> tuple[str, str, str]:
    """`1:2.3-4` as librpm wants it; no epoch is epoch 0."""
    epoch, _, rest = version.rpartition(":")
    number, _, release = rest.rpartition("-")
    return epoch or "0", number, release


def older(installed: str, fixed: str, manager: str) -> bool:
    if manager == "rpm":
        return bool(rpm.labelCompare(rpm_parts(installed), rpm_parts(fixed)) < 0)
    return bool(apt_pkg.version_compare(installed, fixed) < 0)


def titles_streams(title: str) -> frozenset[str]:
    """`Important: nodejs:18 security update` is about the stream nodejs:18."""
    return frozenset(STREAM.findall(title))


def read_osv(document: Document) -> Iterator[tuple[str, str, Fix]]:
    """Every fix with its product and the name of its package."""
    if document.get("withdrawn"):
        return
    for affected in document.get("affected", []):
        system, _, release = affected["package"]["ecosystem"].partition(":")
        if system not in OSV_NAMES:
            continue
        for event in (e for r in affected.get("ranges", []) for e in r["events"] if "fixed" in e):
            streams = titles_streams(document.get("summary", ""))
            fix = Fix(document["id"], event["fixed"], streams=streams)
            yield f"{OSV_NAMES[system]}-{release.split('.')[0]}", affected["package"]["name"], fix


def products_of_tree(branches: Iterable[Document]) -> Iterator[Document]:
    for branch in branches:
        if "product" in branch:
            yield branch["product"]
        yield from products_of_tree(branch.get("branches", []))


def csaf_product(platform: Document, advisory: str) -> str | None:
    """The house's name of a platform, by its CPE or, of CIQ, by its key."""
    key, cpe = platform["product_id"], platform.get("product_identification_helper", {}).get("cpe", "")
    if found := re.fullmatch(r"rlc-(\d+)(\.\d+)?", key):
        return f"rocky-{found[1]}" + ("-sig" if advisory.startswith("CRXSA") else "")
    if found := re.fullmatch(r"lts-(\d+\.\d+)", key):
        return f"rocky-{found[1]}-lts"
    if found := RED_HAT_CPE.match(cpe):
        return f"rhel-{found[1]}"
    if found := RED_HAT_STREAM_CPE.match(cpe):
        return f"rhel-{found[2]}-{found[1]}"
    if found := SUSE_CPE.match(cpe):
        return f"sles-{found[2]}" + (f".{found[3]}" if found[3] else "")
    if found := LEAP_CPE.match(cpe):
        return f"opensuse-leap-{found[1]}"
    return None


def named_build(product: Document) -> tuple[str, str, str, str] | None:
    """(name, version with epoch, arch, stream or empty) of a package's product, by its purl or else its id."""
    purl = product.get("product_identification_helper", {}).get("purl", "")
    if found := re.fullmatch(r"pkg:rpm/\w+/([^@?]+)@([^?]+)\?(.*)", purl):
        said = dict(part.partition("=")[::2] for part in found[3].split("&"))
        epoch = said.get("epoch", "0")
        stream = ":".join(unquote(said.get("rpmmod", "")).split(":")[:2])
        return unquote(found[1]), f"{epoch}:{unquote(found[2])}", said.get("arch", ""), stream
    if purl:
        return None
    if found := re.fullmatch(r"(.+)-(?:(\d+):)?([^:-]+)-([^:-]+)\.([^.:-]+)", product["product_id"]):
        return found[1], f"{found[2] or 0}:{found[3]}-{found[4]}", found[5], ""
    return None


def read_csaf(document: Document) -> Iterator[tuple[str, str, Fix]]:
    advisory, tree = document["document"]["tracking"]["id"], document.get("product_tree", {})
    by_id = {p["product_id"]: p for p in products_of_tree(tree.get("branches", []))}
    relations = {r["full_product_name"]["product_id"]: r for r in tree.get("relationships", [])}
    wanted = {
        product
        for vulnerability in document.get("vulnerabilities", [])
        for status in ("fixed", "recommended")
        for product in vulnerability.get("product_status", {}).get(status, [])
    }
    for relation in (relations[product] for product in sorted(wanted) if product in relations):
        build, platform, stream = by_id.get(relation["product_reference"]), relation["relates_to_product_reference"], ""
        while platform in relations:  # a module stands between the package and the platform
            helper = by_id.get(relations[platform]["product_reference"], {}).get("product_identification_helper", {})
            if found := re.fullmatch(r"pkg:rpmmod/\w+/([^@]+)@([^:]+):.*", unquote(helper.get("purl", ""))):
                stream = f"{found[1]}:{found[2]}"
            platform = relations[platform]["relates_to_product_reference"]
        named = named_build(build) if build else None
        product = csaf_product(by_id[platform], advisory) if platform in by_id else None
        if named and product and named[2] != "src":
            own = stream or named[3]
            streams = frozenset({own}) if own else titles_streams(document["document"]["title"])
            yield product, named[0], Fix(advisory, named[1], named[2], streams)


def read_debian(text: str) -> Iterator[tuple[str, str, Fix]]:
    advisory = ""
    for line in text.splitlines():
        if found := re.match(r"\[[^]]*\] (D[SL]A-\S+)", line):
            advisory = found[1]
        elif (found := re.match(r"\s+\[(\w+)\] - (\S+) ([^\s<]\S*)", line)) and found[1] in CODENAMES:
            yield f"debian-{CODENAMES[found[1]]}", found[2], Fix(advisory, found[3])


def documents(folders: Iterable[Path]) -> Iterator[Document]:
    for folder in folders:
        for file in sorted(folder.rglob("*.json")):
            yield json.loads(file.read_bytes())


def revision(document: Document) -> list[int]:
    return [int(part) for part in document["document"]["tracking"]["version"].split(".")]


def read_all(osv: list[Path], csaf: list[Path], debian: list[Path]) -> Fixes:
    fixes: Fixes = defaultdict(list)
    newest: dict[str, Document] = {}
    for document in documents(csaf):
        if not isinstance(document, dict) or "document" not in document:
            continue
        advisory = document["document"]["tracking"]["id"]
        if ID.match(advisory) and (advisory not in newest or revision(document) > revision(newest[advisory])):
            newest[advisory] = document
    everything = [read_osv(d) for d in documents(osv)] + [read_csaf(d) for d in newest.values()]
    everything += [read_debian(file.read_text(encoding="utf-8")) for file in debian]
    for product, name, fix in (found for source in everything for found in source):
        fixes[product, name].append(fix)
    return fixes


def full_version(package: Document) -> str:
    epoch, release = package["epoch"], package["release"]
    text = package["version"] + (f"-{release}" if release is not None else "")
    return text if epoch is None else f"{epoch}:{text}"


def side_by_side(package: Document) -> tuple[str, ...]:
    """The kind of which several versions are installed at once, kernels; empty for all else."""
    name = package["name"]
    if package["manager"] == "rpm" and re.match(r"kernel(-|$)", name) and not NO_KERNEL.search(name):
        return name, package["arch"]
    if package["manager"] == "dpkg" and asked_name(package)[0].startswith("linux") and DEBIAN_KERNEL.match(name):
        return DEBIAN_KERNEL.sub(r"\1", name).removesuffix("-unsigned"), package["arch"]
    return ()


def groups(packages: list[Document]) -> Iterator[list[Document]]:
    """Each package alone; of kernels all of a kind, the newest first, which is the one that counts."""
    kinds: dict[tuple[str, ...], list[Document]] = defaultdict(list)
    for package in packages:
        if kind := side_by_side(package):
            kinds[kind].append(package)
        else:
            yield [package]
    for kernels in kinds.values():
        yield sorted(kernels, key=cmp_to_key(newer_first))


def newer_first(one: Document, other: Document) -> int:
    first, second, manager = full_version(one), full_version(other), one["manager"]
    return older(first, second, manager) - older(second, first, manager)


def asked_name(package: Document) -> tuple[str, str]:
    """By which name a package's fixes are found, and which version is held against them. Debian's are the source package's; of the
    signed kernels the source is `linux`, whose version the binary package has."""
    if package["manager"] == "rpm":
        return package["name"], full_version(package)
    source = package["source"] or package["name"]
    if found := re.fullmatch(r"linux-signed(-\d[\d.]*)?-[a-z0-9]+", source):
        return "linux" + (found[1] or ""), full_version(package)
    return source, package["source_version"] or full_version(package)


def lowest(fixes: list[Fix], manager: str) -> str:
    least = fixes[0].version
    for fix in fixes:
        if older(fix.version, least, manager):
            least = fix.version
    return least


def judged(package: Document, installed: str, fixes: list[Fix]) -> tuple[str, str] | None:
    """The verdict on one package by one advisory's builds of it, and the build it lacks; None: they do not concern it."""
    label = ":".join((package["module"] or "").split(":")[:2])
    told, untold = [], []
    for fix in fixes:
        if package["manager"] == "rpm":
            if fix.arch and fix.arch != package["arch"] and "noarch" not in (fix.arch, package["arch"]):
                continue
            if modular(fix.version) != (modular(installed) or bool(label)):
                continue
        if modular(fix.version) and not (label and fix.streams):
            untold.append(fix)
        elif not modular(fix.version) or label in fix.streams:
            told.append(fix)
    if not told and not untold:
        return None
    if told and all(older(installed, fix.version, package["manager"]) for fix in told):
        return "noncompliant", lowest(told, package["manager"])
    listed = any(not older(installed, f.version, "rpm") and not older(f.version, installed, "rpm") for f in untold)
    if not listed and any(older(installed, fix.version, package["manager"]) for fix in untold):
        return "unknown", lowest(untold, package["manager"])
    return "compliant", ""


def judge(facts: Document, fixes: Fixes) -> Iterator[Document]:
    product, found = facts["platform"]["product"], defaultdict(list)
    running = (facts.get("kernels") or {}).get("running")
    for package, *others in groups(facts["packages"]):
        name, installed = asked_name(package)
        by_advisory = defaultdict(list)
        for fix in fixes.get((product, name), []):
            by_advisory[fix.advisory].append(fix)
        for advisory, builds in by_advisory.items():
            verdict = judged(package, installed, builds)
            if verdict and verdict[0] == "compliant" and not running and KERNEL_IMAGE.match(package["name"]):
                for other in others:  # the one that runs could be an older one
                    if (of_other := judged(other, asked_name(other)[1], builds)) and of_other[0] == "noncompliant":
                        verdict = "unknown", of_other[1]
            if verdict:
                found[advisory].append((verdict[0], [package["name"], full_version(package), verdict[1]]))
    for advisory, answers in sorted(found.items()):
        verdicts = {verdict for verdict, _ in answers}
        worst = next(v for v in ("noncompliant", "unknown", "compliant") if v in verdicts)
        lacking = [package for verdict, package in answers if verdict == worst != "compliant"]
        yield {"host": facts["target"], "advisory": advisory, "verdict": worst, "packages": lacking}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for option in ("--osv", "--csaf", "--debian-list", "--facts"):
        parser.add_argument(option, nargs="*", type=Path, default=[], action="extend")
    given = parser.parse_args()
    fixes = read_all(given.osv, given.csaf, given.debian_list)
    for file in given.facts:
        for line in judge(json.loads(file.read_bytes()), fixes):
            sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
