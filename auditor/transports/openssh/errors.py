"""What ssh(1) says in its own log (-E), as one of the error kinds of docs/contracts.md, with what to do about it.

The log is our own program's, in English whatever the locale, and apart from all that a remote command prints, so no output can
pose as a failure. A server's own words stand in it too, even with line ends (SSH_MSG_DEBUG, the reason of a disconnection). With
them it can misname a failure that it causes; it cannot hide that its host key was refused, since that decides before all else.
"""

from __future__ import annotations

import re

from auditor.errors import ErrorKind, HostError
from auditor.foundation.sanitize import one_line

_KNOWN_ALGORITHMS = "the operator may allow old ones for this host alone in ssh_config"

# The first that is found decides: what ssh concludes stands before what follows from it. Matched at the start of a line.
FAULTS: tuple[tuple[str, ErrorKind, str], ...] = (
    (
        r"@ +WARNING: REVOKED HOST KEY|Host key .* revoked by file",
        "host-key-revoked",
        "do not trust this host until its owner explains it",
    ),
    (
        r"@ +WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "host-key-changed",
        "if the host was set up anew, check the fingerprint with its owner and put its new key there; if not, somebody may be "
        "in between",
    ),
    (
        r"No .* host key is known|Host key verification failed|Certificate invalid",
        "unknown-host-key",
        "check the fingerprint with the host's owner and put the key, or the authority that signs it, into known_hosts",
    ),
    (
        r"Unable to negotiate .*no matching key exchange method",
        "no-common-algorithm",
        f"`KexAlgorithms +NAME`: {_KNOWN_ALGORITHMS}",
    ),
    (
        r"Unable to negotiate .*no matching host key type",
        "no-common-algorithm",
        f"`HostKeyAlgorithms +NAME`: {_KNOWN_ALGORITHMS}",
    ),
    (r"Unable to negotiate .*no matching cipher", "no-common-algorithm", f"`Ciphers +NAME`: {_KNOWN_ALGORITHMS}"),
    (r"Unable to negotiate .*no matching MAC", "no-common-algorithm", f"`MACs +NAME`: {_KNOWN_ALGORITHMS}"),
    (r"Unable to negotiate", "no-common-algorithm", _KNOWN_ALGORITHMS),
    (r"Protocol major versions differ", "no-common-algorithm", "the server speaks SSH 1 only, which nothing here does"),
    (
        r"ssh_dispatch_run_fatal: .*(Invalid key length|error in libcrypto)",
        "no-common-algorithm",
        "its key is too short, or this machine's crypto policy forbids its signature (RequiredRSASize, SHA-1)",
    ),
    (r"ssh: Could not resolve hostname", "resolve", "check the address and this machine's name service"),
    (
        r"(ssh: connect to host .*: (Connection|Operation) timed out)|Connection timed out|Connection to .* timed out",
        "timeout",
        "the host does not answer; is it up, and is the port open to this machine?",
    ),
    (
        r"ssh: connect to host .*: (No route to host|Network is unreachable)",
        "refused",
        "there is no route to it from here, or it is down",
    ),
    (r"ssh: connect to host", "refused", "nothing listens there, or a firewall says no"),
    (
        r"(debug1: )?(send_pubkey_test|sign_and_send_pubkey): no mutual signature|debug1: Skipping .* not in PubkeyAccepted",
        "no-common-algorithm",
        f"this key needs a signature that is not allowed, of old servers SHA-1; `PubkeyAcceptedAlgorithms +ssh-rsa`: {_KNOWN_ALGORITHMS}",
    ),
    (
        r"sign_and_send_pubkey: signing failed",
        "auth-failed",
        "the agent, or the hardware that holds the key, does not sign; is it plugged in and unlocked?",
    ),
    (
        r"Authenticated using .* with partial success",
        "auth-failed",
        "the server wants a second proof, which nobody is asked for here; open a shared connection by hand (ControlPath)",
    ),
    (
        r"debug1: Server accepts key: ",
        "key-locked",
        "is the key encrypted? Nobody is asked for its passphrase; load it into an agent",
    ),
    (r"Received disconnect from .*Too many authentication failures", "auth-failed", "name the right key with `key_file`"),
    (r"Load key|no such identity", "auth-failed", "the key cannot be read"),
    (
        r"[^\s@]{1,200}@[^\s:]{1,300}: Permission denied \(",
        "auth-failed",
        "check the user, the keys (an encrypted one has to be in an agent) and the server's authorized_keys",
    ),
    (
        r"Bad owner or permissions|[/~c].*: (line \d+: |terminating, )",
        "protocol",
        "ssh cannot read its configuration",
    ),
    (r"channel \d+: open failed|.* request failed on channel", "protocol", "the server takes the login and opens no session"),
    (
        r"kex_exchange_identification: (Connection closed|read: Connection reset)",
        "refused",
        "the port is open, but no SSH server greets there (too many logins at once, or another service)",
    ),
    (r"kex_exchange_identification|banner exchange|Bad packet", "protocol", "the server does not speak SSH as it should"),
    (
        r"Received disconnect|Disconnected from|Connection (closed|reset)|Connection to .* closed|client_loop: ",
        "protocol",
        "the server closed the connection; see its log",
    ),
)


def logged_in(log: str) -> bool:
    """Did ssh get as far as to ask for a session? Never where it refused the host key, whatever else there is."""
    far = re.search(r"^(Authenticated to |debug1: mux_client_request_\w+: master session id)", log, re.MULTILINE)
    return bool(far) and not any(
        re.match(pattern, line) for pattern, kind, _ in FAULTS if "host-key" in kind for line in _lines(log)
    )


def status_told(log: str) -> bool:
    """Did the host say how the command ended? (A connection that is lost gives 255, as a command may.)"""
    return bool(re.search(r"^debug1: client_input_channel_req: channel \d+ rtype exit-(status|signal) ", log, re.MULTILINE))


def of_log(log: str, place: str, stderr: bytes = b"") -> HostError:
    """The failure that a log tells of. `stderr` is quoted where there was no login, so that it is not a command's: the words
    of a proxy of the operator's own, or of ssh where it did not take its command line."""
    said = one_line(stderr.decode("utf-8", "replace"))
    lines = _lines(log)
    refused = any(re.match(r"[^\s@]{1,200}@[^\s:]{1,300}: Permission denied \(", line) for line in lines)
    for pattern, kind, remedy in FAULTS:
        found = next((line for line in lines if re.match(pattern, line)), None)
        if found is None or (found.startswith("debug1: ") and not refused):
            continue
        if "host-key" in kind:
            return HostError(kind, f"{place}: {_host_key(lines, found)}; {remedy}")
        if kind == "refused" and any(line.startswith("debug1: Executing proxy command: ") for line in lines):
            aside = f": {said}" if said else ""
            return HostError("jump-failed", f"{place}: the ProxyJump or ProxyCommand of ssh_config gives no connection{aside}")
        return HostError(kind, f"{place}: {_clean(found)}; {remedy}")
    return HostError("protocol", f"{place}: ssh ended without a login" + (f": {said}" if said else ""))


def _lines(log: str) -> list[str]:
    """Up to the reason that a server gives for a disconnection, after which it might go on in ssh's name."""
    before, said, reason = log.partition("\nReceived disconnect from ")
    return [line[:1000].rstrip("\r") for line in (before + said + reason.partition("\n")[0]).split("\n")]


def _host_key(lines: list[str], found: str) -> str:
    """Which key was shown, and what ssh has against it."""
    shown = next((line for line in lines if line.startswith("debug1: Server host ")), "")
    against = next((line for line in lines if line.startswith(("Offending ", "Certificate invalid"))), found)
    return ", ".join(_clean(line) for line in (shown, against) if line)


def _clean(line: str) -> str:
    return one_line(line.removeprefix("debug1: ").strip("@ "))
