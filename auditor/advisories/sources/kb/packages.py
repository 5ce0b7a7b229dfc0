"""Which package contains which: the articles' lists put together, so that an installed rollup settles what is in it.

What a package contains is what its article lists, what these articles' own packages are, and what they contain in turn.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from auditor.advisories.article import Article
from auditor.advisories.sources.kb.fixes import line_of
from auditor.advisories.sources.kb.headings import PLATFORM, is_about
from auditor.versions import service_pack


class _Packaged(NamedTuple):
    """What is kept of an article: its product lines, its own packages, its bulletins."""

    lines: frozenset[str]
    packages: frozenset[str]
    bulletins: frozenset[str]


_ROLLUP = 10  # articles; what holds fewer is a fix for several things
# What no article of the archive says and HFNetChk's data of 2001 does (MS99-034): in which service pack a fix is.
_ELSEWHERE = {("windows-nt-4.0", "Q238329"): "6", ("windows-nt-4.0-terminal-server", "Q238329"): "6"}


class Packages:
    """The relation of all articles that were added. Ask after the last was."""

    def __init__(self) -> None:
        self._articles: dict[str, _Packaged] = {}
        self._handed_out: set[tuple[str, str]] = set()  # package and product line, by whatever article
        self._announced: defaultdict[str, list[str]] = defaultdict(list)
        self._held: defaultdict[str, list[tuple[frozenset[str], tuple[str, ...]]]] = defaultdict(list)
        self._without: defaultdict[str, list[tuple[frozenset[str], tuple[str, ...]]]] = defaultdict(list)
        self._built: defaultdict[str, set[str]] = defaultdict(set)  # by a build, the articles whose packages have it
        self._posted: defaultdict[str, set[str]] = defaultdict(set)
        self._fixed: dict[tuple[str, str], str] = dict(_ELSEWHERE)
        self._security: set[str] = set()
        self.needs: dict[tuple[str, str], str] = {}
        self._all: dict[tuple[str, str], frozenset[str]] = {}

    def add(self, article: Article) -> None:
        """Take what an article says of packages."""
        for listed in article.fix_lists:
            for ident in listed.articles:
                self._fix(ident, listed.product, listed.service_pack)
        for fix in (f for f in article.fixes if f.source == "prose"):  # a keyword is no proof beside another article
            self._fix(article.id, line_of(fix.product), fix.service_pack)
        if not article.offers:
            return
        lines = {line_of(p.product) for p in article.products}
        lines |= {PLATFORM[line] for line in lines if line in PLATFORM}
        own = frozenset(o.package for o in article.offers if not o.elsewhere)
        self._articles[article.id] = _Packaged(frozenset(lines), own, frozenset(article.bulletins))
        if article.security and sum(len(c.items) for c in article.contains if not c.without) >= _ROLLUP:
            self._security.add(article.id)
        for bulletin in article.bulletins:
            self._announced[bulletin].append(article.id)
        for content in article.contains:
            held = self._without if content.without else self._held
            held[content.package].append((frozenset(content.lines), content.items))
        for offer in article.offers:
            if offer.posted and not offer.superseded:
                self._posted[offer.posted].add(article.id)
        for build in {*article.builds, *map(" ".join, article.file_versions.items())}:
            self._built[build].add(article.id)
        self._handed_out |= {(o.package, line) for o in article.offers if not o.elsewhere for line in (o.lines or lines)}
        for package in own:
            for line, pack in article.needs_pack.items():
                self.needs.setdefault((package, line), pack)

    def _fix(self, ident: str, line: str, pack: str) -> None:
        known = self._fixed.get((line, ident))
        if known is None or service_pack.parse(pack) < service_pack.parse(known):
            self._fixed[line, ident] = pack

    def same(self, article: Article) -> tuple[str, ...]:
        """Later articles that offer the very package: "teardrop2-fix" settles four of them. What stands in a folder is posted anew with each, so
        an earlier article's number may stand for a build that does not have this fix yet; but where an article's own package is superseded by what lies
        there, that is whoever's it is."""
        found = {
            i
            for o in article.offers
            if o.posted and o.package == article.id
            for i in self._posted[o.posted]
            if o.superseded or i > article.id
        }
        return tuple(sorted(found - {article.id}))

    def with_its_files(self, article: Article, line: str) -> tuple[str, ...]:
        """The packages of later articles, for a product line, that bring every file of this article's in the very same build, beside others
        perhaps. An earlier article's table may have been brought up to date where its package was not."""
        if not article.builds:
            return ()
        others = set.intersection(*(self._built[build] for build in article.builds))
        found = {
            p for other in others if other > article.id for p in self._articles[other].packages if self.handed_out(p, line)
        }
        return tuple(sorted(found))

    def fixed_in(self, idents: tuple[str, ...], line: str) -> str:
        """The first service pack of a product line that has one of these fixes or packages, by an article about it or by the vendor's
        list; "" where none says so. Terminal Server Edition's packs hold those of Windows NT 4.0 with their number."""
        lines = [line, "windows-nt-4.0"] if line == "windows-nt-4.0-terminal-server" else [line]
        packs = [p for of in lines for i in idents if (p := self._fixed.get((of, i)))]
        return min(packs, key=service_pack.parse) if packs else ""

    def in_security_rollup(self, ident: str) -> bool:
        """Does a rollup of security fixes name the article? Then it is about a flaw in security, whatever it says."""
        return any(ident in items for package in self._security for _, items in self._held[package])

    def handed_out(self, package: str, line: str) -> bool:
        """Does any article offer such a package for a product line: a rollup's article the package of one that it holds, say?"""
        return (package, line) in self._handed_out

    def covers(self, package: str, line: str) -> bool:
        """Is a package for this product line, as far as its article is known?"""
        return self._for(package, line)

    def containing(self, wanted: frozenset[str], line: str) -> tuple[str, ...]:
        """The packages for a product line that contain any of these articles or packages, the one that holds most first."""
        found = [p for p in self._held if p not in wanted and self._for(p, line) and self._contents(p, line) & wanted]
        return tuple(sorted(found, key=lambda p: (-len(self._contents(p, line)), p)))

    def size(self, package: str, line: str) -> int:
        """How many articles and packages it holds; 0 where it is no rollup."""
        return len(self._contents(package, line)) if package in self._held else 0

    def relation(self) -> dict[str, list[str]]:
        """Every rollup with all that it holds, for any of its product lines."""
        lines = {line for a in self._articles.values() for line in a.lines}
        held = {p: set[str]().union(*(self._contents(p, line) for line in lines if self._for(p, line))) for p in self._held}
        return {p: sorted(items) for p, items in sorted(held.items()) if items}

    def _for(self, package: str, line: str) -> bool:
        article = self._articles.get(package)
        return article is None or not article.lines or line in article.lines or PLATFORM.get(line) in article.lines

    def _contents(self, package: str, line: str) -> frozenset[str]:
        """All that a package holds on a product line, at any depth."""
        known = self._all.get((package, line))
        if known is None:
            found, waiting = set[str](), [package]
            while waiting:
                for lines, items in self._held.get(waiting.pop(), ()):
                    if is_about(lines, line):
                        new = {i for item in items for i in self._meant(item, line)} - found - {package}
                        found |= new
                        waiting += new
            for lines, items in self._without.get(package, ()):
                if is_about(lines, line):
                    found -= {i for item in items for i in self._meant(item, line)}
            known = self._all[package, line] = frozenset(found)
        return known

    def _meant(self, item: str, line: str) -> set[str]:
        """An article with its own packages; a bulletin's articles with theirs."""
        idents = [item] if item.startswith("Q") else self._announced.get(item, [])
        found = set(idents)
        for ident in idents:
            article = self._articles.get(ident)
            if article and (line in article.lines or not article.lines):
                found |= article.packages
        return found
