"""Product ids as people say them: `windows-nt-4.0-terminal-server` is Windows NT 4.0 Terminal Server Edition."""

from __future__ import annotations

import re

from auditor.versions.windows_products import PRODUCTS

_NAMES = {
    "windows-nt": "Windows NT", "windows-server": "Windows Server", "windows": "Windows", "exchange": "Exchange Server",
    "sna-server": "SNA Server", "sms": "Systems Management Server", "sql-server": "SQL Server", "iis": "Internet Information Server",
}  # fmt: skip
_EDITIONS = {
    "terminal-server": " Terminal Server Edition", "server": " Server", "workstation": " Workstation", "enterprise": " Server Enterprise Edition",
}  # fmt: skip


# Of these the release, or R2, is a part of the name.
_MODERN = {p.id: p.name for p in PRODUCTS if p.version == "10.0" or p.id.endswith("-r2")}


_OTHERS = {
    "exchange-se": "Exchange Server Subscription Edition", "exchange": "Exchange Server", "sql-server": "SQL Server", "edge": "Microsoft Edge",
    "office-click-to-run": "Office (Click-to-Run)", "net-framework-4": ".NET Framework 4",
}  # fmt: skip


def label(product: str) -> str:
    """The product's name for people; the id itself where it has no version."""
    if product in _MODERN:
        return _MODERN[product]
    if product in _OTHERS:
        return _OTHERS[product]
    m = re.fullmatch(r"(.+?)-(\d[\w.]*|xp|me|vista)(?:-(.+))?", product)
    if not m:
        return product
    version = m[2].upper() if m[2] in ("xp", "me") else m[2].title() if m[2] == "vista" else m[2]
    return f"{_NAMES.get(m[1], m[1].replace('-', ' ').title())} {version}{_EDITIONS.get(m[3] or '', '')}"
