"""Which ciphers and MACs paramiko offers: none that OpenSSH itself has not offered for years, unless the inventory says so.

CBC ciphers leak plaintext to who alters packets (CVE-2008-5161), MD5 and the 96-bit MACs are too short to trust; OpenSSH
clients stopped offering them with 7.6 (2017).
"""

from __future__ import annotations

import re
from typing import Any

from auditor.model.target import Target

_WEAK = re.compile(r"cbc|arcfour|blowfish|cast128|3des|md5|-96\b")


def offer(transport: Any, target: Target) -> None:
    """Leave out what is weak (Target.weak_ciphers lets it in); `transport` has not begun its key exchange."""
    if not target.weak_ciphers:
        for kind in ("_preferred_ciphers", "_preferred_macs"):
            setattr(transport, kind, tuple(name for name in getattr(transport, kind) if not _WEAK.search(name)))


# What the relaxation adds to ssh's own, for ssh(1).
WEAK_CIPHERS = "aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc"
WEAK_MACS = "hmac-md5,hmac-md5-96,hmac-sha1-96"
