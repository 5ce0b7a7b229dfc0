"""Facts and rules for tests of judging, made short."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from msgspec.structs import replace

from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import (
    Candidate,
    HostFacts,
    Kernels,
    Listener,
    Package,
    Platform,
    Reboot,
    Service,
    Setting,
    UpdateList,
    Updates,
    Volatile,
)
from auditor.model.finding import Attestation, Finding, Waiver
from auditor.model.policy import Policy
from auditor.rulebook.loader import load

WHEN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = load().rules


def package(name: str, version: str, **more: Any) -> Package:
    upstream, _, release = version.rpartition("-") if "-" in version else (version, "", None)
    return Package(name, None, upstream, release, "amd64", name, version, **more)


LINUX = HostFacts(
    target="web1",
    collected_at=WHEN,
    platform=Platform(
        family="linux", product="debian-12", version="12", arch="x86_64", kernel="6.1.0-28-amd64", codename="bookworm"
    ),
    packages=(package("openssl", "3.0.15-1"), package("linux-image-6.1.0-28-amd64", "6.1.119-1")),
    kernels=Kernels("6.1.0-28-amd64", ("6.1.0-28-amd64",), "6.1.119-1"),
    settings={
        "sysctl:net.core.somaxconn": Setting("present", "4096"),
        "sysctl:net.ipv4.tcp_syncookies": Setting("present", "1"),
        "sysctl:net.ipv4.tcp_max_syn_backlog": Setting("present", "2048"),
        "sysctl:net.ipv4.tcp_abort_on_overflow": Setting("present", "0"),
    },
    listeners=(Listener("0.0.0.0", 22, 128, "sshd"), Listener("127.0.0.1", 25, 5, "master")),
    reboot=Reboot(False, (), ("/etc/kernel/postinst.d/unattended-upgrades",)),
    stale_processes=(),
    updates=Updates(
        (UpdateList("sec_dists_bookworm-security", WHEN, "bookworm"),), (Candidate("openssl", "amd64", "3.0.15-1"),)
    ),
    containers=(),
    volatile=Volatile(uptime=86400.0, counters={"ListenOverflows": 0, "ListenDrops": 0}),
)

# How far a person says that something is done.
Attested = Literal["done", "not-done", "restart-pending"]

NODE = HostFacts(
    target="node-b",
    collected_at=WHEN,
    platform=Platform(family="windows", product="windows-nt-4.0-enterprise", version="4.0", service_pack="5", build="1381"),
    services=(Service("ClusSvc", "stopped", "disabled"),),
    hotfixes=(),
    programs=(),
    processes=(),
)

NOTES = replace(
    NODE,
    target="notes1",
    platform=replace(NODE.platform, product="windows-nt-4.0-server", service_pack="6a"),
    services=(Service("Lotus Domino Server"),),
)


IDS = tuple(r.id for r in RULES)


def find(
    rule: str,
    facts: HostFacts,
    attestations: tuple[Attestation, ...] = (),
    waivers: tuple[Waiver, ...] = (),
    day: datetime = WHEN,
) -> Finding:
    """The finding of one shipped rule."""
    found = evaluate(
        facts,
        RULES,
        today=day.date(),
        groups=("web",),
        attestations=attestations,
        waivers=waivers,
        policy=Policy(situational=True),
    )
    return next(f for f in found if f.rule == rule)


def verdict(rule: str, facts: HostFacts, *attestations: Attestation) -> str:
    return find(rule, facts, attestations).verdict


def platform(facts: HostFacts, **changes: Any) -> HostFacts:
    return replace(facts, platform=replace(facts.platform, **changes))
