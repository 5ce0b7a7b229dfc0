"""What form a document has, by what it holds rather than by its name, and its advisories."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from auditor.advisories.feeds import csaf, debian_lists, msrc_cvrf, osv, updateinfo
from auditor.advisories.feeds.authority import Form
from auditor.model.advisory import Advisory

READERS: dict[Form, Callable[[bytes], Iterator[Advisory]]] = {
    "osv": osv.read, "csaf": csaf.read, "debian-list": debian_lists.read, "updateinfo": updateinfo.read,
}  # fmt: skip
# What every element of a form begins with: objects of a few bytes would take a hundred times the memory of their document.
_OPENING: dict[Form, bytes] = {"osv": b"{", "csaf": b"{", "updateinfo": b"<", "debian-list": b"\n["}
_MOST_ELEMENTS = 3_000_000
_CSAF = (b'"csaf_version"', b'"product_tree"')


def form_of(content: bytes) -> Form:
    """The form of a document. ValueError where it is of none that is read."""
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"{"):
        return "csaf" if any(key in content for key in _CSAF) else "osv"
    if start.startswith(b"["):
        if debian_lists.FIRST_LINE.match(start):
            return "debian-list"
        raise ValueError("is a list of other things; a JSON document of one advisory begins with {")
    if start.startswith(b"<") and msrc_cvrf.FIRST_ELEMENT.search(start):
        return "msrc-cvrf"
    if start.startswith(b"<") and updateinfo.FIRST_ELEMENT.search(start):
        return "updateinfo"
    raise ValueError(
        "is of none of the forms that are read: OSV, CSAF, updateinfo.xml, Debian's DSA or DLA list, Microsoft's monthly CVRF"
    )


def read(form: Form, content: bytes) -> Iterator[Advisory]:
    """The advisories of a document, in its order; what was read before a fault is given. ValueError with the fault in words. (A monthly document of
    Microsoft's is one thing as a whole: `msrc_cvrf.read`.)"""
    if form in ("osv", "csaf"):
        content = content.removeprefix(b"\xef\xbb\xbf")
    if content.count(_OPENING[form]) > _MOST_ELEMENTS:
        raise ValueError(f"has more than {_MOST_ELEMENTS:,} elements, which no document has")
    try:
        yield from READERS[form](content)
    except msgspec.DecodeError as e:  # its subclass ValidationError, too: a field that is missing or is something else
        raise ValueError(f"is no {form.upper()} document that can be read: {e}") from None
    except UnicodeDecodeError as e:
        raise ValueError(f"is no UTF-8: {e.reason} at byte {e.start:,}") from None
    except RecursionError:
        raise ValueError("is nested too deeply to be read") from None
