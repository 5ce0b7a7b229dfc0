"""Parts of answers that were parsed before: most hosts of a fleet say the same of their packages and lists as another did."""

from __future__ import annotations

import hashlib

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.foundation.remembered import Remembered

_MOST = 8_000_000  # characters of answers whose parse is kept; what is read of them takes some ten times as many bytes
_known = Remembered[bytes, CollectorResult](_MOST)


def parsed(collector: Collector, output: ScriptOutput) -> CollectorResult:
    """`collector.parse` of the sections that it declares, which is all that it can look at. Raises what it raises."""
    names = sorted({*collector.sections, *collector.reads} & output.sections.keys())
    own = ScriptOutput({name: output.sections[name] for name in names}, output.complete, output.truncated)
    key, size = _key(collector, own)
    return _known.get(key, size, lambda: collector.parse(own))


def _key(collector: Collector, output: ScriptOutput) -> tuple[bytes, int]:
    """Of all that the parse can depend on, and how many characters that is. Lengths go before texts, so that no two answers are alike."""
    digest, size = hashlib.sha256(f"{collector.name} {output.complete} {output.truncated}".encode("utf-8", "replace")), 0
    for name, section in output.sections.items():
        text = section.text.encode("utf-8", "replace")
        error = section.error.encode("utf-8", "replace")
        digest.update(f"\n{name} {section.status} {len(error)} {len(text)}\n".encode())
        digest.update(error)
        digest.update(text)
        size += len(text)
    return digest.digest(), size
