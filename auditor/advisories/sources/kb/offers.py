"""The packages of Microsoft's that an article offers, by the numbers under which a host lists them.

A number is taken from the name of the file that is to be downloaded (`Q243835i.exe`), from the article that holds the
package ("obtain the Security Rollup Package: Q299444"), and is the article's own where it offers a package that its
name does not number (`Arbexei.exe`, "contact Product Support Services to obtain the fix"): HFNetChk's data of 1998 and
1999 has it so for every such package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.headings import Part, named_lines, parts
from auditor.advisories.sources.kb.outcome import LATEST
from auditor.advisories.sources.kb.products import product_lines
from auditor.advisories.sources.kb.structure import Structure, fold

_FILE = re.compile(r"\b([A-Za-z0-9][\w+-]{2,40}\.exe)\b", re.I)
_NUMBER = re.compile(r"q(\d{6})(?!\d)", re.I)
_HIGHEST = 330_000  # the last article of the archive is Q328,xxx; what is above is a slip (Q2769336i.exe)
_DOWNLOAD = re.compile(r"download\s*\S* now|DownloadDownload|\bavailable for download\b", re.I)
_HANDED_OUT = re.compile(r"download|\bnow\b|ftp:|/fixes/|\bposted\b", re.I)
_POSTED = re.compile(
    r"ftp://ftp\.microsoft\.com/\S*(?:fix|patch|updat)|\b(?:(?:hot\s?)?fix|patch|update|utility|files?|tool|drivers?)\s+(?:has|have)\s+been\s+posted\s+(?:to|on)\s+the\s+following",
    re.I,
)
# ftp://ftp.microsoft.com/bussys/winnt/winnt-public/fixes/usa/NT40/hotfixes-postSP3/teardrop2-fix/
_FOLDER = re.compile(r"/fixes/(?:usa|eng)/(nt\d+\w*|exchg[\d.]+)/\s*(?:hotfixes-)?(post-?\s*sp\w+(?:/\s*|-)[\w-]+)", re.I)
# The page of one package: "downloads/critical/q299444/", "Download the Q319733 Package now".
_PAGE = re.compile(r"/downloads/(?:critical|recommended|security)/q(\d{6})\b|Download\s+the\s+Q(\d{6})\s+Package\b", re.I)
# Where an article says under which key its hotfix is listed: "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Hotfix\Q184017".
_KEY = re.compile(r"\\Hotfix\\\s*(Q\d{6})\b", re.I)
# A package that Microsoft hands out, without the name of a file.
_SUPPORT = re.compile(
    r"\bsupported\s+(?:hot\s?fix|fix|patch|feature|update|bundle\s+of\s+fixes)(?:\s+that[^.]{0,60})?\s+is\s+(?:now\s+)?available(?:\s+from\s+Microsoft)?\b"
    r"|\bcontact\s+(?:Microsoft\s+)?(?:Product|Technical|PSS)\s+Support(?:\s+Services)?\s+(?:\w+\s+){0,3}(?:to\s+obtain|for)\s+(?:the|this)\s+(?:\w+\s+){0,2}(?:hot\s?fix|fix|patch|update)"
    # "the fix mentioned below" may be anything, and is mostly a service pack
    r"|\b(?:obtain|obtaining|install|apply)\s+(?:the\s+|this\s+)?(?:following\s+)?(?:hot\s?fix|fix\s+from\s+Microsoft)\b(?!\s+(?:that\s+is\s+)?(?:mentioned|referenced|described|listed|discussed|below|above|included|for\s+article))"
    r"|\bindividual\s+(?:software\s+update|package|update)\b(?!\s+(?:referenced|mentioned|described|listed))"
    r"|\bMicrosoft\s+has\s+(?:made\s+available|released|provided|posted|issued)\s+(?:a|an|the)\s+(?:\w+\s+){0,2}(?:hot\s?fix|fix|patch)\b",
    re.I,
)
_NONE = re.compile(
    r"\b(?:no\s+(?:hot\s?fix|fix|patch)|is\s+not\s+(?:yet\s+)?available|(?:in|under)\s+development|(?:before|if|when)\s+you\s+(?:install|apply)|after\s+you\s+(?:install|apply)|how\s+to\s+obtain\s+the\s+latest)\b",
    re.I,
)
# The article that holds the package stands on a line of its own below the sentence that sends there.
_IN_DEVELOPMENT = re.compile(
    r"\b(?:fix|patch)\b[^.]{0,60}\bis\s+in\s+development\b|\bdoes\s+not\s+recommend\s+implementing\b", re.I
)
REFERENCE = re.compile(r"^[ \t]*(Q\d{5,6})[ \t]+(\S[^\n]*(?:\n[ \t]{2,}(?!Q\d{5,6})\S[^\n]*)*)", re.M)
_ANSWERS = re.compile(
    r"\b(?:obtain|install|apply|download)\s+(?:either\s+)?(?:the|this)\b(?:[^.]|\.(?=\d)){0,160}\b(?:roll-?\s*up|cumulative\s+patch|SRP)"
    r"|\b(?:is|are|was)\s+(?:also\s+|first\s+)?(?:included|available|contained|fixed|corrected|eliminated|resolved|addressed|installed)\s+(?:in|by|with|if)\b(?:[^.]|\.(?=\d)){0,160}\b(?:roll-?\s*up|cumulative|SRP|patch\s+that)"
    r"|\bor\s+(?:obtain\s+)?(?:the\s+)?Windows\b(?:[^.]|\.(?=\d)){0,120}\b(?:roll-?\s*up|SRP)"
    r"|\b(?:hot\s?fix|fix|patch|update)\s+is\s+(?:also\s+)?included\s+in\s+the\s+following"
    r"|\bhow\s+to\s+(?:obtain|download)\s+(?:this|the)\s+(?:patch|fix|hot\s?fix|update)|\babout\s+this\s+(?:hot\s?fix\s+)?bundle\b"
    r"|\bapply\s+the\s+(?:hot\s?fix|fix|patch)\s+that\s+is\s+described\s+in\s+the\s+following|\bobtain\s+(?:the|this)\s+(?:patch|hot\s?fix|fix|update)\b",
    re.I,
)
# What a package brings, or what it holds of another article.
_OTHER = re.compile(r"\bintroduce|\bfixes\s+listed\s+in\b", re.I)
_MORE = re.compile(r"\s*For\s+(?:more|additional)\s+information\b", re.I)
_NO_PACKAGE = re.compile(r"^(?:How to Obtain|Frequently|Description of|Use QChain|INFO|HOW ?TO)", re.I)


class Offer(NamedTuple):
    """`package`: the number under which a host lists it; `lines`: the product lines that it is for, none where the article
    does not tell. `elsewhere`: another article holds the package; `or_latest`: "the latest service pack" has the fix as well; `posted`: the folder of the FTP server that holds it;
    `superseded`: what is there is another, later fix."""

    package: str
    lines: frozenset[str]
    elsewhere: bool
    or_latest: bool
    posted: str
    superseded: bool
    text: str
    start: int


def offers(article: Structure) -> list[Offer]:
    """The packages that an article offers, each once for the lines that it is for."""
    found: dict[tuple[str, frozenset[str]], Offer] = {}
    specific = frozenset[str]()
    for part in list(parts(article)) or list(parts(article, anywhere=True)):
        specific |= part.lines
        for offer in _of_part(article, part):
            found.setdefault((offer.package, offer.lines), offer)
    for part in parts(article, anywhere=True):
        # Older articles say under STATUS what may be obtained; later ones in which rollup the fix is.
        if part.under.startswith(("STATUS", "SUMMARY", "MORE INFORMATION")) and (not found or part.under == "STATUS"):
            for offer in _of_part(article, part):
                if offer.elsewhere or not found:
                    found.setdefault((offer.package, offer.lines), offer)
    found |= {(o.package, o.lines): o for o in _named_anywhere(article, list(found.values()))}
    none = _forthcoming(article) | (specific & {TSE})  # what has a section of its own is not offered what stands before it
    listed = frozenset(line_of(p.id) for bullet in article.applies_to for p in product_lines(bullet.text))
    return [_limited(o, none, listed) for o in found.values()] if found else []


_NUMBERED = re.compile(r"\b(Q\d{6})\w{0,20}\.exe\b", re.I)
_KEY_AWAY = re.compile(r"\b(?:delete|remove)\s+the\s+(Q\d{6})\s+key\s+from:?\s[^.]{0,120}\\\s*Hotfix\b", re.I)


def own_file(article: Structure) -> re.Match[str] | None:
    """A program with the article's own number for a name, wherever it is told how to run it."""
    number = article.id.lower()
    if not article.holds(f"{number}.exe", f"{number}_", f"{number}i.exe"):
        return None
    named = _NUMBERED.finditer(article.text, article.begin, article.end)
    return next((m for m in named if m[1].upper() == article.id), None)


def _named_anywhere(article: Structure, found: list[Offer]) -> Iterator[Offer]:
    """The package by what is done with it: "Run Q243179.exe", "delete the Q184017 key from …\\Hotfix"."""
    own = [o for o in found if o.package == article.id]
    if not own and (m := own_file(article)):
        latest = bool(LATEST.search(fold(article.text[article.begin : article.end])))
        yield Offer(article.id, frozenset(), False, latest, "", False, article.line_text(m.start()), m.start())
    if own and article.holds("key from"):
        for m in _KEY_AWAY.finditer(article.text, article.begin, article.end):
            yield own[0]._replace(package=m[1], text=fold(m[0]), start=m.start())


TSE = "windows-nt-4.0-terminal-server"
_FOLDERS = {
    "nt40": "windows-nt-4.0",
    "nt40tse": TSE,
    "nt351": "windows-nt-3.51",
    "nt35": "windows-nt-3.5",
    "nt350": "windows-nt-3.5",
}


def _limited(offer: Offer, none: frozenset[str], listed: frozenset[str]) -> Offer:
    """An offer for the product lines that it can be for: those of its folder on the FTP server, and not `none`, which
    are those that have another or no package by the article's own word."""
    folder = offer.posted.partition("/")[0]
    of_folder = _FOLDERS.get(folder, folder.replace("exchg", "exchange-"))
    if of_folder in listed and (not offer.lines or of_folder in offer.lines) and not offer.elsewhere:
        return offer._replace(lines=frozenset({of_folder}))
    lines = offer.lines or listed
    if not lines & none or (offer.lines and offer.lines <= none):
        return offer
    return offer._replace(lines=lines - none)


# "A patch for Windows NT Server 4.0, Terminal Server Edition is forthcoming."
_FORTHCOMING = re.compile(
    r"\b(?:patch|fix|package|update)\s+for\s+((?:[^.;]|\.(?=\d)){5,90}?)\s+(?:is\s+forthcoming|will\s+be\s+(?:released|available)|is\s+not\s+yet\s+available)\b",
    re.I,
)


def _forthcoming(article: Structure) -> frozenset[str]:
    """The product lines that the article says have no package yet."""
    if not article.holds("forthcoming", "not yet available", "will be"):
        return frozenset()
    found = (named_lines(fold(m[1])) for m in _FORTHCOMING.finditer(article.text, article.begin, article.end))
    return frozenset().union(*found)


def _of_part(article: Structure, part: Part) -> Iterator[Offer]:
    text = article.text[part.start : part.end]
    lowered = article.lower[part.start : part.end]
    if not any(word in lowered for word in ("fix", "patch", "update", "download", "rollup", "roll-up", "posted", "package")):
        return
    folders = [f"{m[1]}/{m[2]}".lower() for m in _FOLDER.finditer(text)]
    plain = Offer(
        article.id,
        part.lines,
        False,
        bool(LATEST.search(fold(text))),
        folders[0] if folders else "",
        "supersed" in lowered,
        "",
        part.start,
    )
    files = list(_files(text))
    in_files = any(number for number, _ in files)
    own: re.Match[str] | None = None
    for number, m in files:
        if number and number != article.id:
            yield plain._replace(package=number, text=fold(m[0]), start=part.start + m.start())
        elif number or not in_files:  # beside a package with a number, a file without one is part of it
            own = own or m
    for m, sentence in _references(text):
        words = fold(f"{sentence} {m[0]}")[:_WORDS]
        yield plain._replace(package=m[1], elsewhere=True, text=words, start=part.start + m.start())
    lines = part.lines
    if own is None and not in_files and not _in_development(article):
        own = next((m for m in _SUPPORT.finditer(text) if not _NONE.search(_around(text, m))), None)
        lines = lines or (_named_beside(text, own) if own else lines)
    if own is not None:
        for posted in dict.fromkeys(folders) or ("",):
            yield plain._replace(
                text=fold(_around(text, own))[:_WORDS], start=part.start + own.start(), lines=lines, posted=posted
            )


def _in_development(article: Structure) -> bool:
    return article.holds("in development", "recommend") and bool(_IN_DEVELOPMENT.search(article.text, article.begin))


def _named_beside(text: str, m: re.Match[str]) -> frozenset[str]:
    """The product lines that the paragraph names up to the end of the sentence that offers a package, or of which the one before confirms
    the problem: "… a problem in Exchange Server 5.0. A supported fix …"."""
    end = text.find(".\n", m.end())
    start = max(0, text.rfind("\n\n", 0, m.start()))
    found = named_lines(fold(text[start : end if end >= 0 else m.end()]))
    if found:
        return found
    before = text[:start].rstrip()
    confirmed = before[max(0, before.rfind("\n\n")) :]
    return named_lines(fold(confirmed)) if "confirmed" in confirmed else frozenset()


_BEFORE = 900  # letters before a reference, in which the sentence stands that sends there
_WORDS = 300  # letters of a sentence that are kept as evidence


def _files(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The files that are to be downloaded, each with the number in its name, "" where it has none."""
    lowered, seen = text.lower(), set[str]()
    if not any(word in lowered for word in ("download", "posted", "ftp:", "hotfix\\")):
        return
    download, posted = _DOWNLOAD.search(text), _POSTED.search(text)
    if not download and not posted and not _PAGE.search(text) and not _KEY.search(text):
        return
    for m in _KEY.finditer(text):
        seen.add(m[1].upper())
        yield m[1].upper(), m
    for m in _PAGE.finditer(text):
        number = m[1] or m[2]
        if f"Q{number}" not in seen and int(number) <= _HIGHEST:
            seen.add(f"Q{number}")
            yield f"Q{number}", m
    for m in _FILE.finditer(text):
        if not _HANDED_OUT.search(text, text.rfind("\n\n", 0, max(0, text.rfind("\n\n", 0, m.start()))) + 1, m.end() + 60):
            continue  # a file that is told of, and not handed out
        number = _NUMBER.search(m[1])
        ident = f"Q{number[1]}" if number and int(number[1]) <= _HIGHEST else ""
        if ident not in seen:
            seen.add(ident)
            yield ident, m
    if not seen and (posted or re.search(r"DownloadDownload|Download\b[^\n]*\bnow\b", text)):
        found = posted or download
        if found:
            yield "", found


# "To resolve this problem, install the hotfix that is included in Microsoft Knowledge Base article Q324204."
_BY_NUMBER = re.compile(
    r"\b(?:install|apply|obtain)\s+the\s+(?:hot\s?fix|fix|patch|update)\s+(?:for|in|that\s+is\s+(?:included|described)\s+in)\s+(?:the\s+)?(?:Microsoft\s+Knowledge\s+Base\s+)?article\s+(Q\d{6})\b",
    re.I,
)
_ONCE = re.compile(r"\b(?:after|before|when|if|once|until)\s+you\s+$", re.I)


def _references(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """References to articles that hold the package, each with the paragraph that sends there."""
    for m in _BY_NUMBER.finditer(text):
        if not _ONCE.search(text[max(0, m.start() - 20) : m.start()]):
            yield m, ""
    for m in REFERENCE.finditer(text):
        if _NO_PACKAGE.match(m[2]):
            continue
        at = max(0, text.rfind("\n\n", 0, max(0, m.start() - 2)))
        if _MORE.match(text, at):  # what it is more information about stands in the paragraph before
            at = max(0, text.rfind("\n\n", 0, at))
        before = text[max(at, m.start() - _BEFORE) : m.start()]
        if not before.strip():
            continue
        if _ANSWERS.search(before) and not _NONE.search(before) and not _OTHER.search(before):
            yield m, before


def _around(text: str, m: re.Match[str]) -> str:
    """The sentence or line around a match."""
    start = max(text.rfind(". ", 0, m.start()), text.rfind("\n\n", 0, m.start()), m.start() - 300, 0)
    end = min(
        (e for e in (text.find(". ", m.end()), text.find("\n\n", m.end()), text.find(".\n", m.end())) if e >= 0),
        default=len(text),
    )
    return text[start : min(end, m.end() + 300)]


# "This patch requires Windows NT 4.0 SP6a", "can be installed on systems running Windows NT 4.0 Service Pack 5 or 6a".
_REQUIRES = re.compile(
    r"\b(?:hot\s?fix|patch|package|update|fix)\s+(?:requires|can\s+be\s+installed\s+on|is\s+for)\s((?:[^.]|\.(?=\d)|\.(?=\S)){0,240})",
    re.I,
)
_ADDRESS = re.compile(r"\(?https?://\S+")
_PACK = re.compile(r"\b(?:Service\s+Pack|SP)\s*(\d[a-z]?)\b|(?<=or )(\d[a-z]?)\b(?! bit)", re.I)


def needed_packs(article: Structure) -> dict[str, str]:
    """The lowest service pack of each product line on which the article's packages install, where it names one."""
    found: dict[str, str] = {}
    for part in parts(article, anywhere=True):
        for m in _REQUIRES.finditer(article.text, part.start, part.end):
            words = fold(_ADDRESS.sub("", m[1]))
            packs = [p[1] or p[2] for p in _PACK.finditer(words)]
            if not packs or "Gold" in words:
                continue
            for line in sorted(named_lines(words) or part.lines):
                lowest = min(packs, key=lambda p: (int(re.sub(r"\D", "", p)), p))
                found.setdefault(line, lowest.lower())
    return found
