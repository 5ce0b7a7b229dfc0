"""Which service packs there are: the last of each product, so that a slip of the pen ("Terminal Server Edition Service
Pack 6a") is never asked for.

Windows' own stand with the products (windows_products.py). Of the server applications, the last are those that the archive's
articles name as "the latest service pack" of the product, and later ones from their maker's lifecycle pages.
"""

from __future__ import annotations

from auditor.versions import service_pack
from auditor.versions.windows_products import PRODUCTS

_LAST = {
    "exchange-4.0": "5", "exchange-5.0": "2", "exchange-5.5": "4", "exchange-2000": "3",
    "sna-server-2.11": "2", "sna-server-3.0": "4", "sna-server-4.0": "4",
    "sms-1.0": "1", "sms-1.1": "1", "sms-1.2": "4", "sms-2.0": "5",
    "sql-server-6.0": "3", "sql-server-6.5": "5a", "sql-server-7.0": "4", "sql-server-2000": "4",
    "proxy-server-1.0": "1", "proxy-server-2.0": "1", "site-server-3.0": "4",
}  # fmt: skip
_WITH_LETTER = {"6a", "5a"}  # every other pack has a bare number


def exists(product: str, pack: str) -> bool:
    """Is there such a service pack? True too of a product whose packs are not listed here."""
    last = last_of(product)
    if not last:
        return True
    wanted, most = service_pack.parse(pack), service_pack.parse(last)
    if (wanted.number, wanted.letter) > (most.number, most.letter):
        return False
    return not wanted.letter or pack in _WITH_LETTER


def last_of(product: str) -> str:
    """The last service pack of a product or product line (`windows-nt-4.0`: of its editions but Terminal Server); "" where none is known."""
    if product in _LAST:
        return _LAST[product]
    return next((p.service_pack for p in PRODUCTS if p.id == product or p.id.startswith(f"{product}-")), "")
