"""From the words of a call to targets: inventory names, globs, @groups, local, ssh://… and winrm://…, replay:PATH."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

import platformdirs
from msgspec.structs import replace

from auditor.errors import UsageFault
from auditor.foundation.yaml_file import did_you_mean
from auditor.inventory import ansible
from auditor.inventory.inventory import Inventory
from auditor.inventory.native import load
from auditor.model.target import NETWORKED, Auth, Connection, Target, is_host


def find(given: str | None) -> Path | None:
    """The inventory file: the one given, $AUDITOR_INVENTORY, ./inventory.yaml, the user's, /etc/auditor's; None where
    there is none. Raises UsageFault where one was named that does not exist."""
    named = given or os.environ.get("AUDITOR_INVENTORY")
    if named:
        if not Path(named).is_file():
            raise UsageFault(f"there is no inventory file {named}")
        return Path(named)
    usual = (
        Path("inventory.yaml"),
        platformdirs.user_config_path("auditor") / "inventory.yaml",
        Path("/etc/auditor/inventory.yaml"),
    )
    return next((p for p in usual if p.is_file()), None)


def open_inventory(given: str | None, *, strict: bool = False) -> Inventory:
    """The inventory, or an empty one where there is none; FileFaults or UsageFault."""
    path = find(given)
    if path is None:
        return Inventory()
    if ansible.is_ansible(_beginning(path), path.suffix):
        taken = ansible.read(path)
        return Inventory(path=path, targets=taken.targets, groups=taken.groups, remarks=taken.remarks)
    return load(path, strict=strict)


def _beginning(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(200_000)
    except OSError as e:
        raise UsageFault(f"the inventory {path} cannot be read: {e.strerror}") from None


def select(words: Iterable[str], inventory: Inventory) -> list[Target]:
    """The targets that the words name, each once, in the order named. Raises UsageFault for a word that names none."""
    chosen: dict[str, Target] = {}
    for word in words:
        for target in _named(word, inventory):
            chosen.setdefault(target.name, target)
    return list(chosen.values())


def _named(word: str, inventory: Inventory) -> list[Target]:
    if word in inventory.targets:
        return [inventory.targets[word]]
    if word == "local":
        return [Target(name="local", connection="local")]
    if word.startswith("replay:"):
        path = Path(word.removeprefix("replay:"))
        return [Target(name=path.resolve().name, connection="replay", path=str(path.absolute()))]
    if "://" in word:
        return [_from_url(word)]
    if word.startswith("@"):
        found = [t for t in inventory.targets.values() if word == "@all" or word[1:] in t.groups]
        if word != "@all" and word[1:] not in inventory.groups:
            raise UsageFault(f"the inventory has no group {word}{did_you_mean(word[1:], inventory.groups)}")
        if not found:
            raise UsageFault(f"no host of the inventory is in {word}")
        return found
    if any(c in word for c in "*?["):
        found = [t for name, t in inventory.targets.items() if fnmatchcase(name, word)]
        if not found:
            raise UsageFault(f"no host of the inventory matches {word!r}")
        return found
    where = f"the inventory {inventory.path}" if inventory.path else "no inventory was found, so the name"
    verb = "does not know" if inventory.path else "is not known:"
    hint = did_you_mean(word, inventory.targets)
    raise UsageFault(f"{where} {verb} {word!r}{hint}\nTo reach it as it is: auditor scan ssh://{word}")


def _from_url(word: str) -> Target:
    try:
        url = urlsplit(word)
        port = url.port
    except ValueError as e:
        raise UsageFault(f"{word}: {e}") from None
    if url.scheme not in ("ssh", "openssh", "winrm"):
        raise UsageFault(
            f"{word}: {url.scheme}:// is not known; write ssh://[user@]host[:port], winrm://[user@]host[:port], local or replay:PATH"
        )
    if not url.hostname or url.path.strip("/") or url.query or not is_host(url.hostname):
        raise UsageFault(f"{word} is not of the form {url.scheme}://[user@]host[:port]")
    if url.password is not None:
        raise UsageFault("a password in an address is seen by everybody on this machine; use --secret or --ask-password")
    name = word.removeprefix(f"{url.scheme}://").rstrip("/")
    user = unquote(url.username) if url.username else None
    connection: Connection = url.scheme  # type: ignore[assignment]  # one of the three, as was looked at above
    target = Target(name=name, connection=connection, address=url.hostname, port=port, user=user)
    # The two ports that WinRM listens on without TLS by default; there NTLM encrypts the messages.
    return replace(target, scheme="http") if url.scheme == "winrm" and port in (80, 5985) else target


def ad_hoc(
    targets: list[Target], *, user: str | None, key_file: str | None, password: str | None, auth: Auth | None
) -> list[Target]:
    """The login words of a call, laid over every target that is reached over a network."""
    pairs = (("user", user), ("key_file", key_file), ("password", password), ("auth", auth))
    given = {k: v for k, v in pairs if v is not None}
    if (key_file or password) and (zoned := next((t for t in targets if t.zone), None)):
        raise UsageFault(
            f"{zoned.name} is in the zone {zoned.zone}: its worker has the keys and passwords, and takes none from a call"
        )
    return [replace(t, **given) if given and t.connection in NETWORKED else t for t in targets]
