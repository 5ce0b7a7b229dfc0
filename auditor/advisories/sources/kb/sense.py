"""Articles that are no advisory, whatever they name: nobody is to be held to them.

How-to articles and preferences, samples and lists of other articles; the update as the cause; drivers of other vendors;
behaviour by design; a problem that "was also corrected in" something else.
"""

from __future__ import annotations

import re

from auditor.advisories.article import Article

_HOW_TO = re.compile(
    r"^(?:[A-Z]{2,9}: )?(?:HOW ?TO\b|How (?:to|do|can|does|much|many|the|Windows)\b|INFO\b|DOC(?:ERR)?\b|Doc ?Err\b|SAMPLE\b|FILE\b|LONG\b|FAQ|Q ?& ?A|INTRO\b|Description of|Overview|Definition|Explanation|Frequently|"
    r"List of|Contents of|README|Read ?Me|Release Notes|What's New|Guide(?:lines)?\b|Tips|White ?Paper|Resources|Availability of|Obtaining|Using\b|Configuring|Installing\b|Understanding|Troubleshooting|"
    r"Requirements|Checklist|Support (?:Policy|for)|Supported|Where\b|When to|Recommendations?\b|Comparison|Differences? [Bb]etween)",
)
# Whatever it is about, an article so named is none that reports a flaw.
_TOOL = re.compile(
    r"^(?:[A-Z]{2,9}: )?(?:(?:HOW ?TO|INFO|DOC|SAMPLE|FAQ) ?:|Availability of|Resources for|Description of)", re.I
)
_LISTS = re.compile(
    r"\b(?:List of|Bugs Fixed|Fixes (?:Included )?in|Release Notes|Read ?me|Fixlist|Known (?:Issues|Problems)|Setup and (?:Installation|Known))\b",
    re.I,
)
# The update did it: "… After Installing Service Pack 4"; a fix for it is for who has that update, which no list of packs tells for certain.
_CAUSE = re.compile(
    r"\b(?:after|when|while|during|since|following) (?:you )?(?:re)?(?:install|appl|upgrad|updat|add|remov|uninstall)\w*(?: of| to| the| an?| microsoft| windows| nt| exchange| server| sms| sna| version| [\d.]+)* (?:service packs?|sp ?\d|hot ?fix|patch|srp|security|update|q\d{6})",
    re.I,
)


def why_no_advisory(article: Article) -> str:
    """The reason for people; "" where it may be one. An article about security is one whatever its title."""
    title = article.title
    if _LISTS.search(title) and not article.contains:
        return "it lists others' problems"
    if _TOOL.match(title) and not article.contains:
        return "it tells how something is done, and describes no fault"
    if article.security:
        return ""
    if _HOW_TO.match(title):
        return "it tells how something is done, and describes no fault"
    if _CAUSE.search(title) and not article.fixes:
        return "an update is the cause of its problem, and only its hosts have it"
    return ""
