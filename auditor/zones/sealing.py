"""Messages that neither the broker nor another zone can forge: compressed (zstd) and signed (Ed25519, RFC 8032).

The signature is over what the message is for (an order or an answer, of which zone) and the compressed bytes, and it is checked
before anything is unpacked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from auditor.errors import UsageFault
from auditor.history.blobs import MAX_CONTENT, Damaged, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_SEALED = 32_000_000  # bytes of a message as it travels; the broker is set to refuse what is larger (topology.py)
MAX_PLAIN = MAX_CONTENT  # bytes of what it unpacks to
_MARK, _SIGNATURE = b"auditor1", 64


class Unsealed(ValueError):
    """A message that is not what it should be; nothing of it counts."""


def seal(key: Ed25519PrivateKey, purpose: str, plain: bytes) -> bytes:
    """A message for a purpose, such as `order plant`. ValueError where it would be too large to be read."""
    packed = zstd.compress(plain, 3)
    if len(plain) > MAX_PLAIN or len(packed) > MAX_SEALED - 100:
        raise ValueError(f"a message of {len(plain) / 1e6:.0f} MB ({len(packed) / 1e6:.0f} packed) is larger than is read")
    return _MARK + key.sign(_MARK + purpose.encode() + b"\n" + packed) + packed


def unseal(key: Ed25519PublicKey, purpose: str, message: bytes) -> bytes:
    """What was sealed for this purpose by the holder of the key. Raises Unsealed for everything else."""
    if not message.startswith(_MARK) or len(message) > MAX_SEALED:
        raise Unsealed("it is no sealed message, or larger than is read")
    start = len(_MARK) + _SIGNATURE
    packed = message[start:]
    try:
        key.verify(message[len(_MARK) : start], _MARK + purpose.encode() + b"\n" + packed)
    except InvalidSignature:
        raise Unsealed("its signature is not that of its sender") from None
    try:
        return unpack(packed)
    except Damaged as e:
        raise Unsealed(str(e)) from None


def private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file, as `openssl genpkey -algorithm ed25519` makes one. UsageFault where there is none, or
    others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise UsageFault(f"{path} can be read by others; chmod 600 it")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise UsageFault(_no_key(path, "private", e)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageFault(_no_key(path, "private", None))
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file, as `openssl pkey -pubout` prints one. UsageFault where there is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise UsageFault(_no_key(path, "public", e)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageFault(_no_key(path, "public", None))
    return key


def _no_key(path: Path, kind: str, e: Exception | None) -> str:
    why = e.strerror if isinstance(e, OSError) else "it is something else"
    return f"{path} holds no {kind} Ed25519 key ({why}); `auditor zones setup ZONE` prints how one is made"
