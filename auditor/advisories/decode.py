"""Bytes of a document to text: ASCII and UTF-8 as they are, CP1252 or CP437 by what the bytes would mean."""

from __future__ import annotations

import re

# A byte that is a letter in CP437 and punctuation in CP1252 between two letters; the reverse for CP1252's letters.
_CP437 = re.compile(rb"[a-zA-Z][\x80-\x9a\xa0-\xa5\xe1](?=[a-zA-Z])")
_CP1252 = re.compile(rb"[a-zA-Z][\xc0-\xff](?=[a-zA-Z])")
_BOX = re.compile(rb"[\xb3\xba\xc4\xcd]{3}")
# The largest article of the public archive has 180 kB, in lines of at most 1,158 characters.
_BYTES, _LINE = 400_000, 4_000


def decode(document: bytes) -> str:
    """The text with plain line ends. Raises ValueError, with the reason, for what is no text."""
    if len(document) > _BYTES:
        raise ValueError(f"is larger than {_BYTES // 1000} kB, which no article is")
    if not document.strip():
        raise ValueError("is empty")
    if b"\0" in document:
        raise ValueError("is a binary file")
    if document.isascii():
        text = document.decode("ascii")
    else:
        try:
            text = document.decode("utf-8-sig")
        except UnicodeDecodeError:
            dos = len(_CP437.findall(document)) + 3 * len(_BOX.findall(document))
            text = document.decode("cp437" if dos > len(_CP1252.findall(document)) else "cp1252", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.rstrip("\x1a \n\t") + "\n"
    if len(text) > _LINE and max(map(len, text.split("\n"))) > _LINE:
        raise ValueError(f"has a line of more than {_LINE:,} characters")
    return text
