"""Articles made for tests, in the form of the archive's; their sentences are ours."""

from __future__ import annotations

from auditor.advisories.article import Article
from auditor.advisories.sources.kb.article_reader import read

NT4 = ("Microsoft Windows NT Workstation version 4.0", "Microsoft Windows NT Server version 4.0")
EXCHANGE = ("Microsoft Exchange Server, version 5.5",)
_RULE = "-" * 79
_END = "=" * 77


def text(
    *,
    id: str = "Q190001",
    title: str = "The Thing Fails When It Is Used",
    date: str = "02-JAN-2001",
    topic: str = "winnt",
    applies: tuple[str, ...] = NT4,
    keywords: str = "",
    issue: str = "kbbug",
    **sections: str,
) -> str:
    """One article; keyword arguments are its sections: RESOLUTION="...", MORE_INFORMATION="..."."""
    bullets = "\n".join(f" - {a} " for a in applies)
    body = "\n\n".join(
        f"{name.replace('_', ' ')}\n{'=' * len(name)}\n\n{words.strip(chr(10))}" for name, words in sections.items()
    )
    return (
        f"DOCUMENT:{id}  {date}  [{topic}]\nTITLE   :{title}\nPRODUCT :Something\nPROD/VER::4.0\nOPER/SYS:\nKEYWORDS:{keywords}\n\n"
        f"{'=' * 70}\n{_RULE}\nThe information in this article applies to:\n\n{bullets}\n{_RULE}\n\n{body}\n\nAdditional query words:\n\n"
        f"{'=' * 70}\nKeywords          : {keywords} \nTechnology        : kbSomething\nVersion           : :4.0\nIssue type        : {issue}\n\n"
        f"{_END}\n\nAS IS\n"
    )


def article(**given: object) -> Article:
    return read(text(**given).encode("cp1252"))  # type: ignore[arg-type]


def fixes(found: Article) -> set[tuple[str, str]]:
    return {(f.product, f.service_pack) for f in found.fixes}
