"""XML 1.0: text that may stand in it, whatever a host said, and writing it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from auditor.foundation.sanitize import printable

# What XML 1.0 (section 2.2, Char) does not allow, beside what `printable` writes as its escape.
_FORBIDDEN = re.compile("[\ufffe\uffff]")


def legal(text: str) -> str:
    """A text without the characters that XML 1.0 does not allow (section 2.2)."""
    return _FORBIDDEN.sub("\ufffd", printable(text))


def serialized(root: ET.Element) -> bytes:
    """A whole document, indented."""
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
