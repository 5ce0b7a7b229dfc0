"""What a post-quantum key exchange costs a client, beside the classical one: `python -m bench.key_exchange`.

mlkem768x25519-sha256 is ML-KEM-768 (FIPS 203) and X25519; curve25519-sha256 is X25519 alone. CPU of the client's own
operations, in turns; the server's part is made beforehand and not counted.
"""

import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bench.measure import spread

ROUNDS, TIMES = 30, 50
_PEER = X25519PrivateKey.generate().public_key()


def classical() -> None:
    X25519PrivateKey.generate().exchange(_PEER)


def hybrid() -> float:
    """Seconds of CPU that are the server's: encapsulation needs the key that was just made."""
    key = MLKEM768PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    started = time.process_time()
    _, sealed = MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    servers = time.process_time() - started
    key.decapsulate(sealed)
    classical()
    return servers


def milliseconds(exchange: Callable[[], float | None]) -> float:
    started = time.process_time()
    servers = sum(exchange() or 0.0 for _ in range(TIMES))
    return (time.process_time() - started - servers) / TIMES * 1000


if __name__ == "__main__":
    taken: dict[str, list[float]] = {"curve25519-sha256": [], "mlkem768x25519-sha256": []}
    for _ in range(ROUNDS):
        taken["curve25519-sha256"].append(milliseconds(classical))
        taken["mlkem768x25519-sha256"].append(milliseconds(hybrid))
    for name, values in taken.items():
        print(f"{name}: {spread(values)} ms of CPU")
