"""What the operator's ssh_config relaxes for a target, from what `ssh -G` says that it would do; the report prints it.

Host key checking itself is on our command line and cannot be relaxed there (options.py), but ssh_config has other ways
to take a key unseen, may allow algorithms that ssh by itself does not use, and decides alone for jump hosts of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from auditor.model.target import Target, parse_hop

# As `ssh -G` has them, and as people write them.
ALGORITHMS = {
    "kexalgorithms": "KexAlgorithms",
    "hostkeyalgorithms": "HostKeyAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
    "pubkeyacceptedalgorithms": "PubkeyAcceptedAlgorithms",
    "casignaturealgorithms": "CASignatureAlgorithms",
}
UNCHECKED = ("no", "off", "false")

Settings = dict[str, str]


def read(text: str) -> Settings:
    """The output of `ssh -G`: keywords in lower case, the first of those that come more than once."""
    found: Settings = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, value.strip())
    return found


def relaxed(target: Target, ask: Callable[[Target], Settings], usual: Settings) -> tuple[str, ...]:
    """`ask` gives the settings of one host, `usual` are those of ssh where no file says anything."""
    out: list[str] = []
    own: list[Target] = []
    for hop in (*target.jump, target):
        found = ask(hop)
        if not found:
            out.append(f"{hop.name}: what ssh_config relaxes is not known (ssh -G does not say)")
        out += [f"{hop.name}: {what}" for what in _of_host(hop, found, usual)]
        nearest = hop is (target.jump or (target,))[0]  # the others have our ProxyCommand instead of ssh_config's ProxyJump
        if nearest and found.get("proxyjump", "none") != "none":
            own += [_hop(word) for word in found["proxyjump"].split(",")]
    for hop in own:
        found = ask(hop)
        checking = found.get("stricthostkeychecking", "ask")
        if checking in (*UNCHECKED, "accept-new"):
            out.append(
                f"{hop.name}, jump host by ssh_config: unknown host keys are accepted (StrictHostKeyChecking {checking})"
            )
        out += [f"{hop.name}, jump host by ssh_config: {what}" for what in _of_host(hop, found, usual)]
    return tuple(out)


def _hop(word: str) -> Target:
    try:
        return parse_hop(word.removeprefix("ssh://"))
    except ValueError:
        return Target(name=word, address=word)  # ssh understood it, and will say what it makes of it


def _of_host(host: Target, found: Settings, usual: Settings) -> list[str]:
    out = []
    nowhere = not host.known_hosts and set(found.get("userknownhostsfile", "").split()) == {"/dev/null"}
    if nowhere and host.host_key_checking == "accept-new":
        out.append("every host key is accepted at every connection (UserKnownHostsFile /dev/null)")
    if found.get("verifyhostkeydns", "no") in ("yes", "true"):
        out.append("host keys are taken from the DNS (VerifyHostKeyDNS)")
    if found.get("knownhostscommand", "none") != "none":
        out.append("a command says which host keys are known (KnownHostsCommand)")
    if found.get("controlpath", "none") != "none" and found.get("stricthostkeychecking") in UNCHECKED:
        out.append("a shared connection may have been opened without a host key check (ControlPath, StrictHostKeyChecking no)")
    for key, name in ALGORITHMS.items():
        known = set(usual.get(key, "").split(","))
        more = [word for word in found.get(key, "").split(",") if word and word not in known]
        if more and key in usual:
            out.append(f"algorithms that ssh does not use by itself are allowed ({name} {','.join(more)})")
    size, least = found.get("requiredrsasize", ""), usual.get("requiredrsasize", "")
    if size.isdecimal() and least.isdecimal() and int(size) < int(least):
        out.append(f"short RSA keys are taken (RequiredRSASize {size})")
    return out
