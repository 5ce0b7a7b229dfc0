"""What was not sealed for just this purpose by just this key is nothing, whatever it looks like."""

from __future__ import annotations

import random
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import Raw, to_builtins

from auditor.errors import UsageFault
from auditor.zones import messages, sealing
from auditor.zones.messages import Answer, Hello, HostAnswer, Order, Place, read_order, read_word
from auditor.zones.sealing import Unsealed, private_key, public_key, seal, unseal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def test_what_was_sealed_is_read() -> None:
    for plain in (b"", b"{}", b"x" * 1_000_000):
        assert unseal(KEY.public_key(), "order plant", seal(KEY, "order plant", plain)) == plain


@pytest.mark.parametrize("purpose", ["order port", "answer plant", "order plant\n", "order plan", ""])
def test_another_purpose(purpose: str) -> None:
    with pytest.raises(Unsealed, match="signature"):
        unseal(KEY.public_key(), purpose, seal(KEY, "order plant", b"{}"))


def test_another_key_and_no_key() -> None:
    with pytest.raises(Unsealed, match="signature"):
        unseal(KEY.public_key(), "order plant", seal(OTHER, "order plant", b"{}"))
    for message in (b"", b"{}", b"auditor1", b"auditor1" + bytes(64), b"auditor1" + bytes(64) + zstd.compress(b"{}")):
        with pytest.raises(Unsealed):
            unseal(KEY.public_key(), "order plant", message)


def test_every_change_is_seen() -> None:
    message, chance = seal(KEY, "answer plant", b'{"type":"hello"}' * 50), random.Random(3)
    for _ in range(2000):
        changed = bytearray(message)
        match chance.randrange(3):
            case 0:
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            case 1:
                del changed[chance.randrange(len(changed)) :]
            case _:
                changed.insert(chance.randrange(len(changed) + 1), chance.randrange(256))
        if bytes(changed) != message:
            with pytest.raises(Unsealed):
                unseal(KEY.public_key(), "answer plant", bytes(changed))


def signed(packed: bytes) -> bytes:
    """As a worker that was stolen could sign it."""
    return sealing._MARK + KEY.sign(sealing._MARK + b"answer plant\n" + packed) + packed


def test_bombs_of_a_stolen_worker() -> None:
    """200 MB, a bomb, a bomb in a bomb, and what ends too early: nothing of them is held in memory."""
    bomb = zstd.compress(bytes(200_000_000))
    tracemalloc.start()
    try:
        for packed in (bomb, bomb[: len(bomb) // 2], zstd.compress(bomb) * 2, b"\x28\xb5\x2f\xfd" + b"\xff" * 100):
            with pytest.raises(Unsealed):
                read_word(unseal(KEY.public_key(), "answer plant", signed(packed)))
        with pytest.raises(Unsealed, match="larger"):
            unseal(KEY.public_key(), "answer plant", signed(random.Random(1).randbytes(sealing.MAX_SEALED)))
        assert tracemalloc.get_traced_memory()[1] < 5 * sealing.MAX_PLAIN
    finally:
        tracemalloc.stop()
    with pytest.raises(ValueError, match="larger than is read"):
        seal(KEY, "answer plant", bytes(sealing.MAX_PLAIN + 1))


GOOD = Order(
    place=Place(run="r", number=1),
    zone="plant",
    made=datetime(2026, 12, 1, tzinfo=UTC),
    seconds=10.0,
    auditor="1",
    reading="x",
    asks=(messages.Ask(name="a", connection="ssh", address="10.0.0.1"),),
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connection", "local"),
        ("connection", "replay"),
        ("password", "command:touch /tmp/x"),
        ("key_file", "/root/.ssh/id"),
        ("path", "/etc"),
        ("host_key_checking", "accept-new"),
        ("certificate_checking", "ignore"),
        ("weak_ciphers", True),
        ("known_hosts", ["/dev/null"]),
        ("proxy", "http://x"),
        ("timeouts", {"total": "x"}),
    ],
)
def test_an_order_cannot_even_say_it(field: str, value: object) -> None:
    """References, paths, this machine, recordings and relaxed checking have no place in an order."""
    plain = to_builtins(GOOD)
    assert read_order(messages.encode(plain)) == GOOD
    plain["asks"][0][field] = value
    with pytest.raises(Unsealed, match="no order"):
        read_order(messages.encode(plain))


def test_orders_and_words_that_are_none() -> None:
    plain = to_builtins(GOOD)
    many = plain | {"asks": plain["asks"] * 257}
    faulty: tuple[dict[str, object], ...] = ({"asks": []}, {"seconds": 0}, {"seconds": 1e9}, {"script": "rm"})
    wrongs: list[object] = [many, *(plain | change for change in faulty), [], "x", None]
    for wrong in wrongs:
        with pytest.raises(Unsealed):
            read_order(messages.encode(wrong))
    for text in (b"[" * 100_000, b'{"type":"answer"' + b',"hosts":[{"a":' * 50_000, b'{"type":"order"}', b"\xff\xfe", b""):
        with pytest.raises(Unsealed):
            read_word(text)
    nested = HostAnswer(name="a", outcome="assessed", sections={"packages": Raw(b"[" * 50_000 + b"]" * 50_000)})
    place = Place(run="r", number=1)
    with pytest.raises(Unsealed):
        read_word(messages.encode(Answer(worker="w", place=place, now=GOOD.made, hosts=(nested,))))
    hello = Hello(worker="w", now=GOOD.made, auditor="1", reading="x", jobs=1)
    assert read_word(messages.encode(hello)) == hello


def test_keys_in_files(tmp_path: Path) -> None:
    def write(name: str, body: bytes, mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_bytes(body)
        path.chmod(mode)
        return path

    pem, pkcs8 = Encoding.PEM, PrivateFormat.PKCS8
    own = KEY.private_bytes(pem, pkcs8, NoEncryption())
    public = KEY.public_key().public_bytes(pem, PublicFormat.SubjectPublicKeyInfo)
    assert private_key(write("own", own)).sign(b"x") == KEY.sign(b"x")
    assert public_key(write("public", public, 0o644)) == KEY.public_key()
    with pytest.raises(UsageFault, match="chmod 600"):
        private_key(write("open", own, 0o640))
    curve = generate_private_key(SECP256R1())
    for path in (
        write("x", b"x"),
        write("p", public),
        write("c", curve.private_bytes(pem, pkcs8, NoEncryption())),
        tmp_path / "none",
    ):
        with pytest.raises(UsageFault, match="no private Ed25519 key"):
            private_key(path)
    for path in (write("x", b"x"), write("own", own), tmp_path / "none"):
        with pytest.raises(UsageFault, match="no public Ed25519 key"):
            public_key(path)
