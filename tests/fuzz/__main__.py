"""`make fuzz`: bytes that libFuzzer makes up, guided by what they reach in a reader (atheris).

`python -m tests.fuzz PARSER FOLDER [libFuzzer's options]`; the folder keeps what reached something new.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.parsers import PARSERS


def main() -> None:
    import atheris

    if len(sys.argv) < 3 or sys.argv[1] not in PARSERS:
        sys.exit(f"usage: python -m tests.fuzz PARSER FOLDER [OPTION]…\nparsers: {', '.join(PARSERS)}")
    parser, corpus = PARSERS[sys.argv[1]], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (corpus / f"sample-{number}").write_bytes(seed)
    atheris.instrument_all()

    def once(content: bytes) -> None:
        parser.check(content)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], once)
    atheris.Fuzz()


main()
