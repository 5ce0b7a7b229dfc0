"""What was read from a host: `auditor.facts/1`.

A section that is `None` was not read; one that is `()` was read and is empty. Readings that change by themselves
(counters, queue lengths, process ids, uptime) live in `volatile`, apart from the facts whose digest the history keeps.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

OutcomeName = Literal["ok", "partial", "failed", "skipped"]


Moment = Annotated[datetime, Meta(tz=True)]  # a time without a zone is no time


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all fact records: unknown keys are an error."""


class Platform(Record, frozen=True, kw_only=True):
    """`service_pack`: "6a"; "0" = known to have none; None = not known. `build`: "20348.2700", without UBR where none.

    `kernel` is the release of the running kernel, as `uname -r` has it. `name` is what the host calls its system, `codename`
    its release (VERSION_CODENAME). `installation`: Windows' InstallationType, "Server Core" where it is that.
    `csd_version`: the service pack in Windows' own words.
    """

    family: Literal["linux", "windows"] | None = None
    product: str | None = None
    version: str | None = None
    service_pack: str | None = None
    build: str | None = None
    edition: str | None = None
    suites: tuple[str, ...] | None = None
    arch: str | None = None
    kernel: str | None = None
    name: str | None = None
    codename: str | None = None
    installation: str | None = None
    csd_version: str | None = None


class Package(Record, frozen=True):
    """One installed package; `hold` is True where the administrator holds it at its version, `half_installed` where its
    unpacking broke off, so that nobody knows which files lie there. `section` is dpkg's: `admin`, `non-free-firmware/kernel`. `source`
    is the source package's name; of an rpm its file (`openssl-3.0.7-27.el9.src.rpm`). `module`: the label of an rpm that was built
    for a module (`nodejs:18:8070020221212:abcdef12`)."""

    name: str
    epoch: int | None
    version: str
    release: str | None
    arch: str | None
    source: str | None
    source_version: str | None
    module: str | None = None
    manager: Literal["dpkg", "rpm", "apk"] = "dpkg"
    hold: bool = False
    half_installed: bool = False
    section: str | None = None

    @property
    def full_version(self) -> str:
        """The version in the manager's own notation."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}" + ("" if self.release is None else f"-{self.release}")


class Repository(Record, frozen=True):
    """Where a host gets packages from. `name`: the repository's id, or apt's suite; `address` without a login; `components` of
    apt. `enabled`: packages are taken from it."""

    manager: Literal["dpkg", "rpm", "apk"]
    name: str
    address: str = ""
    components: tuple[str, ...] = ()
    enabled: bool = True


class Kernels(Record, frozen=True):
    """`running`: `uname -r`; `running_package`: the package version the running kernel says it was built as.

    `installed`: the releases found in /boot and /usr/lib/modules. `outside`: a container, whose kernel is its host's.
    `livepatches`: the live patches that are enabled in the running kernel, as it names them."""

    running: str | None = None
    installed: tuple[str, ...] | None = None
    running_package: str | None = None
    outside: bool = False
    livepatches: tuple[str, ...] = ()


class Hotfix(Record, frozen=True):
    """`id` as the vendor writes it; `source` says where it was read, e.g. "registry claim"."""

    id: str
    source: str | None = None


class MissingUpdate(Record, frozen=True):
    """An update that the Windows Update Agent knows to be missing. `severity` is the vendor's word, None where it gives
    none; `restart`: it is installed but for a restart."""

    kb: str
    severity: str | None = None
    restart: bool | None = None


class Service(Record, frozen=True):
    """A service and what the host says of it."""

    name: str
    state: str | None = None
    start: str | None = None


class InstalledProduct(Record, frozen=True):
    """Another product of Microsoft's on the host (`sql-server-2019`, `exchange-2019`; without the year where its version is not known), one entry for each
    `instance`. `version` is the installed build."""

    product: str
    instance: str = ""
    version: str | None = None


class Program(Record, frozen=True):
    """An entry of the host's list of installed programs, or a vendor's registry key (`source`)."""

    name: str
    version: str | None = None
    source: str | None = None


class Setting(Record, frozen=True):
    """One value that a rule asks for: present with its text, absent, or unreadable with the reason. `type` is a registry
    value's (REG_DWORD), "" for everything else."""

    state: Literal["present", "absent", "unreadable"]
    value: str = ""
    reason: str = ""
    type: str = ""


class Listener(Record, frozen=True):
    """A listening TCP socket. `backlog` is the effective limit of its accept queue, None where it cannot be told. `address`
    ends in `%lo` where it is bound to the loopback device."""

    address: str
    port: int
    backlog: int | None = None
    process: str | None = None
    protocol: Literal["tcp"] = "tcp"

    @property
    def endpoint(self) -> str:
        """`address:port`, IPv6 in brackets."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Reboot(Record, frozen=True):
    """Is a restart asked for? `packages`: by what. `writers` are the programs that would say so; without one, False means
    nothing. `weak`: signals that may mean it; with nothing else, `required` is None."""

    required: bool | None
    packages: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


class StaleProcess(Record, frozen=True):
    """A process name that still maps files deleted or replaced since it started."""

    name: str
    files: tuple[str, ...]


# Origins of distributions (the field of Release files), in small letters; everybody else is a vendor.
DISTRIBUTIONS = ("debian", "ubuntu", "raspbian", "raspberry pi foundation", "kali", "devuan", "linuxmint", "pureos", "parrot", "pop-os-release",
                 "trisquel", "deepin", "astra", "armbian", "proxmox", "zorinos", "elementary")  # fmt: skip


class UpdateList(Record, frozen=True):
    """The package lists of a security suite as they lie on the host; `date` is the publisher's, `release` the codename
    of the release that the suite is for, `origin` and `label` the publisher's own words ("" for none, None for not known)."""

    name: str
    date: Moment | None
    release: str | None = None
    origin: str | None = None
    label: str | None = None

    @property
    def of_distribution(self) -> bool:
        """Is it a distribution's own, as far as it says?"""
        return self.origin is None or self.origin.lower() in DISTRIBUTIONS


class Candidate(Record, frozen=True):
    """A version that a security suite offers of an installed package, or of another image of an installed kernel."""

    package: str
    arch: str
    version: str
    source: str | None = None
    source_version: str | None = None
    suite: str | None = None


class SourceOffer(Record, frozen=True):
    """A version that a security suite offers of the source of an installed package, whatever its packages are called."""

    source: str
    version: str
    suite: str | None = None


class Updates(Record, frozen=True):
    """`lists` are the security suites' lists; `pins` the apt preferences in force, as written.

    `simulated` holds what `apt-get -s upgrade` would install (`--deep`), None where it was not asked. `uncovered`: installed
    packages of which no list lies there, though the suite has one."""

    lists: tuple[UpdateList, ...]
    candidates: tuple[Candidate, ...]
    pins: tuple[str, ...] = ()
    simulated: tuple[Candidate, ...] | None = None
    sources: tuple[SourceOffer, ...] = ()
    uncovered: tuple[str, ...] = ()


class Volatile(Record, frozen=True):
    """Readings that change by themselves. `queues`: pending connections by address:port; `pids`: by process name.

    `clock` is the host's own time when it was asked; `uptime` is in seconds. `updates_searched`: the day of the Windows
    Update Agent's last search, which `missing_updates` is as old as."""

    uptime: float | None = None
    clock: Moment | None = None
    counters: dict[str, int] | None = None
    queues: dict[str, int] = field(default_factory=dict)
    pids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    updates_searched: date | None = None


class CollectorOutcome(Record, frozen=True):
    """How one collector fared; `reason` is empty where it is ok."""

    name: str
    outcome: OutcomeName
    reason: str = ""
    seconds: float | None = None


class HostFacts(Record, frozen=True, kw_only=True):
    """Everything read from one host at one time. `method` names how it was read (the transport). `module_streams`: the streams
    that dnf has enabled, as `nodejs:18`. `hotpatch`: is a Windows host set up to take updates without restarts? `extended_updates`: its
    licences for updates after the end of free support, by name."""

    schema: Literal["auditor.facts/1"] = "auditor.facts/1"
    target: str
    collected_at: Moment
    platform: Platform = Platform()
    packages: tuple[Package, ...] | None = None
    repositories: tuple[Repository, ...] | None = None
    module_streams: tuple[str, ...] | None = None
    kernels: Kernels | None = None
    hotfixes: tuple[Hotfix, ...] | None = None
    missing_updates: tuple[MissingUpdate, ...] | None = None
    services: tuple[Service, ...] | None = None
    programs: tuple[Program, ...] | None = None
    products: tuple[InstalledProduct, ...] | None = None
    processes: tuple[str, ...] | None = None
    settings: dict[str, Setting | None] | None = field(default_factory=dict)
    listeners: tuple[Listener, ...] | None = None
    reboot: Reboot | None = None
    hotpatch: bool | None = None
    extended_updates: tuple[str, ...] | None = None
    stale_processes: tuple[StaleProcess, ...] | None = None
    updates: Updates | None = None
    containers: tuple[str, ...] | None = None
    machine_id: str | None = None
    method: str | None = field(default=None, name="way")
    volatile: Volatile | None = None
    outcomes: tuple[CollectorOutcome, ...] = ()
