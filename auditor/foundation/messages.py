"""How a command tells a person what went wrong beside its work."""

from __future__ import annotations

import sys
from collections.abc import Callable

from auditor.foundation.sanitize import printable

Say = Callable[[str], None]


def on_stderr(text: str) -> None:
    """Print one message on standard error."""
    print(f"auditor: {printable(text)}", file=sys.stderr)
