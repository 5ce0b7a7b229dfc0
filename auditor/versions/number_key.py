"""Numbers as bytes whose order is theirs, however long they are: how many digits there are, then the digits."""

from __future__ import annotations


def number_key(digits: str) -> bytes:
    """The key of decimal digits ("" is nought); leading noughts say nothing. At most 255 digits count, more than a version has."""
    digits = digits.lstrip("0")
    return bytes((len(digits),)) + digits.encode("ascii")
