"""The sentences in which articles tell to set a value, as patterns: what asks, what describes, what names a value, what
gives its data."""

from __future__ import annotations

import re
from typing import NamedTuple

from auditor.advisories.pattern import Pattern
from auditor.advisories.sources.kb.setting_names import TYPES

_VERBS = (
    "add|change|set|modify|edit|create|enter|type|increase|decrease|reduce|raise|lower|configure|insert|specify|assign|adjust|double-click"
    "|replace|use|include|place|put|append|make sure|verify|ensure|tune|define|disable|enable|remark|correct|make"
)
ASKS = Pattern(
    rf"(?:^|[,:;(] ?|\b(?:and|or|then|to|must|should|can|may|might|could|please|you|manually|either|by|try|also|now|first|be|needs?|been) )(?:{_VERBS})(?:ed|d|t?ing)?\b"
    rf"|\b(?:by|try|suggest|recommend\w*|requires?|need\w*|when|after) (?:\w+ )?(?:adding|changing|setting|modifying|editing|creating|increasing|decreasing|reducing|raising|lowering|configuring)\b"
    r"|\b(?:should|must|needs? to|has to) (?:be|read|contain|have)\b",
    "add chang set modif edit creat enter type typing increas decreas reduc rais lower configur insert specif assign adjust double-click replac use using includ plac put append make sure verif ensur tun defin disabl enabl remark correct making should must need has",
)
DESCRIBES = Pattern(
    r"\b(?:the following (?:registry )?(?:parameters|entries|values|keys|list|table)[^.:]{0,60}(?:are|is|can be|describes?|lists?|may be|contains?)"
    r" (?:available|used|found|described|valid|stored|added|created|supported|defined|optional)|stored (?:in|under)|(?<!This file )(?<!The file )is located in|determines whether"
    r"|are stored|listed below are|was added to|are created|is created|installed under|are displayed|following registry (?:values|entries|keys) (?:hold|control)|similar to the following|adds the following)\b",
    "following stored located determines listed created installed displayed added",
)
EXAMPLE = Pattern(r"\b(?:for example|example:?$|e\.g\.|such as|sample|by default)", "example e.g. such sample default")
# What stands in every procedure and says nothing of this one.
WARNING = Pattern(
    r"Registry Editor incorrectly|at your own risk|Microsoft cannot guarantee|back up the registry|information about how to (?:edit|restore)",
    "incorrectly risk guarantee back information",
)
_DATA = r"(?P<data>\"[^\"]{1,60}\"|'[^']{1,40}'|0x[\da-f]+\b|-?\d[\d,]*(?:\.\d+)?\b(?! ?(?:or|and) later)|(?:(?-i:TRUE|True|FALSE|False|YES|Yes|NO|No|ON|On|OFF|Off)|zero|one|blank)\b)"
_ITS = r"(?:the |a |an |its |this |that |registry |data |value |setting |string |entry |parameter |key |dword |reg_\w+ |decimal |hex(?:adecimal)? |be |read |of |to |equal |type |number )*"
# "change ... to 5": what stands between holds the value's name, or "it".
WITH_DATA = (
    Pattern(
        rf"\b(?:change|set|modify|edit|increase|decrease|reduce|raise|lower|adjust|reset|configure|replace)\b(?P<between>[^.;:]{{0,140}}?)(?:\b(?:to|at|as|of|with)\b|=|equals?) ?{_ITS}{_DATA}",
        "change set modify edit increase decrease reduce raise lower adjust reset configure replace",
    ),
    Pattern(
        rf"\b(?:add|create|enter|insert|use)\b(?P<between>[^.;]{{0,140}}?)(?:\b(?:set (?:it|to)|value of|data of|setting of|equal to|set its|with|and set)\b|=) ?{_ITS}{_DATA}",
        "add create enter insert use",
    ),
    Pattern(
        rf"\b(?:setting|changing|increasing|lowering|reducing)\b(?P<between>[^.;:]{{1,80}}?) to {_ITS}{_DATA}",
        "setting changing increasing lowering reducing",
    ),
)
MUST_BE = Pattern(
    rf"\b(?:should|must|needs? to|has to) (?:be )?(?:set|changed|increased|reduced|configured|modified|added)\b[^.;]{{0,20}}? ?(?:to|equal to|at|with|=) ?{_ITS}{_DATA}",
    "should must need has",
)
OF_TO = re.compile(rf"\bvalue of {_DATA} to (?:the )?(?P<name>[A-Z]\w{{3,40}})\b")
TYPED = Pattern(
    rf"\b(?:add|change|set|type|enter|modify|replace|increase|reset)\b(?: (?:the|this|that|its|it|data|value|string|setting|number|entry|current|existing|in|into|box|with|to|be|read|equal|as|from|of|a|decimal|hex|hexadecimal|registry|for|and|then|click|dword|editor|field|new|a value of)\b| 0x[\da-f]+ to| \d+ to|:| =)* ?{_DATA}",
    "add change set type enter modify replace increase reset",
)
ENTERED = Pattern(
    rf"\b(?:type|enter)(?: the (?:value|string|number))? {_DATA}(?! (?:as|for|in) (?:the )?(?:value )?name)", "type enter"
)
FROM_TO = Pattern(
    r"\b(?:changing|change|modify|edit)\b[^.;]{0,60}?\bfrom \S+(?: \([^)]*\))? to (?:an? |be )?(?P<data>0x[\da-f]+|[\"'][^\"']+|[^\s,;]+?(?=[,;]|\.?$|\.? |\Z))",
    "changing change modify edit",
)
THIS_TO = Pattern(
    rf"\b(?:setting|changing|change|set) (?:this|it|the (?:value|entry|parameter|data))(?: \w+){{0,2}} to {_ITS}{_DATA}",
    "setting changing change set",
)


class Naming(NamedTuple):
    """A form of sentence that names a value to work on, without saying to what it is set. `firm`: that makes it one, so
    that nothing else need be said of it. `name`: what stands at `between` is "any" words around the name, words in which
    the name may be of plain words as well ("called"), the name "whole", or one "written" as only names are."""

    pattern: Pattern
    firm: bool
    name: str


NAMED = (
    Naming(
        Pattern(
            r"\b(?:add|create|insert|define)\b(?P<between>[^.;]{0,100}?\b(?:value|entry|parameter|key|keyword|variable)s?\b[^.;]{0,80})",
            "add create insert define",
        ),
        True,
        "any",
    ),
    Naming(
        Pattern(
            r"\b(?:click|point to|choose|select)\b[^.;]{0,60}?\b(?:type|name it|enter|call it)\b(?P<between>[^.;]{1,80})",
            "click point choose select",
        ),
        True,
        "called",
    ),
    Naming(
        Pattern(
            r"\b(?:locate|double-click|select|highlight|click|find|modify|edit|go to|open|change|set|make|increase|decrease|reduce|raise|lower|adjust|configure|increasing|setting|assigned to|ensure that|verify that)\b"
            r"(?P<between>[^.;:]{1,80}?\b(?:value|entry|parameter|item|setting|variable|line|keyword)\b)",
            "value entry parameter item setting variable line keyword",
        ),
        False,
        "any",
    ),
    Naming(
        Pattern(
            r"\b(?:double-click|edit|select|highlight|increase|decrease|adjust)\b(?P<between>[^.;:,]{1,60})",
            "double-click edit select highlight increase decrease adjust",
        ),
        False,
        "any",
    ),
    Naming(
        Pattern(
            r"\b(?:following (?:registry )?key|(?:entry|value|parameter))s?:(?P<between>.{2,60})$",
            "key: keys: entry: value: values: parameter: parameters:",
        ),
        True,
        "whole",
    ),
    Naming(
        Pattern(r"\b(?:enter|type)\b(?P<between>[^.;:]{1,60}?) (?:as|for|in) (?:the )?(?:value )?name\b", "enter type"),
        True,
        "called",
    ),
    Naming(Pattern(r"\bvalue name(?: box| field)?,? (?:type|enter)\b(?P<between>[^.;]{1,60})", "value"), True, "called"),
    Naming(
        Pattern(
            r"\b(?:value|entry|parameter),? (?:called |named )?(?P<between>[^.;,]{2,50}),? as an?\b", "value entry parameter"
        ),
        True,
        "whole",
    ),
    Naming(Pattern(r"\b(?:type|enter) the value(?: name)?\b(?P<between>[^.;:,]{2,50})", "type enter"), True, "called"),
    Naming(
        Pattern(
            r"\b(?:add|adding|set|change|increase|reduce|decrease)\b(?: the)?(?P<between> [\"']?[A-Za-z]\w*[\"']?) (?:to|from)\b",
            "add set change increase reduce decrease",
        ),
        True,
        "written",
    ),
    Naming(
        Pattern(r"\bname (?:it|(?:the|this) (?:new )?(?:\w+ )?(?:value|entry)):? (?P<between>[^.;:,]{2,50})", "name"),
        True,
        "whole",
    ),
    Naming(Pattern(r"\b(?:value|entry) for\b(?P<between>[^.;:,]{1,60})", "value entry"), True, "any"),
)
NO_VALUE = re.compile(
    r"[\"']? (?:(?:registry )?(?:sub)?key|folder|file|section|dialog|box|menu|tab|program|service|driver|command)\b|\.exe", re.I
)
ELSEWHERE_TYPED = re.compile(
    r"\b(?:click Run|Open box|(?:command|MS-DOS) prompt|Add Key|New Key|search string)\b|\bNew,? (?:and )?(?:then )?(?:click )?Key\b",
    re.I,
)
OR = re.compile(r" (?:and/or|and|or) (?:the )?")
ALSO = re.compile(r"^[\"']?,? ?(?:and/or|and|or|,) (?:the )?[\"']?(?P<name>\w+)")
IN_EDITOR = Pattern(
    r"\b(?:string editor|string box|data box|value data|edit string)\b[^.;]{0,40}?\b(?:type|enter)(?: in)? (?P<data>[\w./\\:%-]+)",
    "editor box data string",
)
VALUE_IN = re.compile(
    r"\b(?i:locate|find|select|click|double-click|modify|edit|set|change|open|add)\b(?: and (?:then )?click)?(?: on)?(?: the| a)?(?: new)? (?P<name>[A-Z][^.;:,\"]{2,58}?)(?: registry)? (?:value|entry)\b(?: (?:in|under|to|at|for|of) )"
)
GOOD = Pattern(
    rf"\b(?:good|recommended|suggested|reasonable|appropriate|best|optimal)(?: starting| initial)? (?:value|setting|number)s?(?: for \w+)? (?:is|would be|of|to use is|:) ?{_DATA}",
    "good recommended suggested reasonable appropriate best optimal",
)
ELSEWHERE = re.compile(
    r"\b(?:same as|stored|is located|listed|installed|created|exists?|found|appears?|written)\b[^.]{0,60}$", re.I
)
LIST = Pattern(
    r"\b(?:set|change|add|modify|increase|adjust|edit|tune|insert|enter|contain|create)\b[^.]{0,40}\b(?:following|these)\b[^.]{0,40}\b(?:parameter|value|entr|propert|setting|line|information)\w*:?$",
    "following these",
)
AWAITED = re.compile(
    r"\b(?:add|type|enter|create|change|modify|insert|set)\b[^.]{0,50}?\b(?:value|type|entry|name|parameter|following)s?:$",
    re.I,
)
OLD = re.compile(
    r"\b(?:change|modify|edit|replace|locate|find)\b[^.]{0,60}(?:\bfrom|reads?|says?|lines?|entry|entries|statement|is|value):$",
    re.I,
)
DATA_AHEAD = re.compile(rf"\b(?:set|change) the following (?:registry )?(?:value|entry|key)s? to {_DATA}:?$", re.I)
VALUE_FOLLOWS = re.compile(
    r"\b(?:value|entry|parameter|setting)s?(?: (?:in|of|from) the (?:\w+ )?registry)?(?: shown)?(?: below)?:?$|\b(?:change|set) the value of the following (?:registry )?(?:sub)?key:?$",
    re.I,
)
UNDER = re.compile(
    r"\bunder\b|\bto the following|in the following|(?<!value of the following registry )(?<!value of the following )\bkey\b",
    re.I,
)
MARK = re.compile(r"^(?:[-*o]|NOTE:|IMPORTANT:|\d{1,2}[.)]|[a-z][.)]) ")
TO_DATA = re.compile(rf"^[^.;]{{0,40}}?\bto (?:an? |be )?{_DATA}", re.I)
WALK = re.compile(
    r"\b(?:expand|open|double-click|click)(?: the)? (\w[\w ]*?)(?= (?:and|key|folder|subkey)\b|,|\.(?: |$)|$)", re.I
)
FILE = Pattern(r"(?<![\w\\])(?:[\w$]{1,8}\.(?:ini|cfg)|unattend\.txt|answer file)\b", ".ini .cfg unattend.txt answer")
IN_A_KEY = re.compile(r"\b(?:key|under|in|to)\b[^.]{0,25}$", re.I)
NOT_A_KEY = re.compile(r"\b(?:value|entry|parameter)\b[^.]{0,25}$", re.I)
CHANGES_VALUE = re.compile(
    r"\b(?:change|set|modify|edit|changing|setting) the (?:data |registry )?(?:value|entry)(?: data)? (?:in|of|for) (?:the )?$",
    re.I,
)
TYPE_WORD = Pattern(rf"{TYPES}|\b(?:DWORD|string)\b", "reg dword string")


SWITCH = re.compile(
    r"\b(?:add|use|using|include|append|specify|adding|set|place)\b[^.;]{0,50}?[\"' ](?P<name>/[A-Za-z0-9]{2,20})(?:=(?P<data>[\w]+))?",
    re.I,
)
ASSIGNMENT = re.compile(
    r"(?<![\w/\\.])(?:\"(?P<quoted>[A-Za-z][\w ()-]{1,40}?) ?= ?(?P<within>[^\"=]{0,60})\"|(?P<name>[A-Za-z]\w{1,40})(?: = |=)(?P<data>\"[^\"]*\"|[^\s\",;()=]*))"
)
FINDS = re.compile(r"\b(?:find|locate|search for)\b", re.I)
SETS = re.compile(r"\b(?:change|add|set|replace)\b", re.I)
