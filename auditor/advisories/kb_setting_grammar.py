"""The forms in which articles tell to set a value: labelled lines, and sentences that name it, its type or its data."""

from __future__ import annotations

import re

from auditor.advisories.kb_setting_names import TYPES

LABEL = re.compile(
    r"^[ \t]*(?:\d{1,2}[.)][ \t]+|[-*o] |[a-z][.)] )?(?P<label>(?:registry )?(?:value|entry|parameter|keyword|data|setting)? ?name|value|entry|parameter|add value|variable|(?:data|value) ?type|type|class|data(?: value)?|value(?: |-)?data|string(?: value)?|value|set(?:ting)?(?: to)?|default(?: value| setting)?|range|valid range|radix|base|units?|key(?: ?name)?|editor|dword(?: value)?|binary(?: data)?|hex|decimal|recommended(?: value| setting)?)"
    r"[ \t]*(?:\((?:in )?(?:hex(?:adecimal)?|decimal)\)[ \t]*)?[:=][ \t]*(?P<rest>[^\n]*)$",
    re.I,
)
BARE_TYPE = re.compile(
    rf"^[ \t]*(?P<name>[A-Za-z][\w ./%-]{{1,50}}?)[ \t]*(?:[:=]|[ \t]|\()[ \t]*[:=]?[ \t]*(?P<type>{TYPES})\)?[ \t]*[:=]?[ \t]*(?P<data>\S.*)?$"
)
INSTRUCTION = re.compile(
    r"\b(?:add(?:ed|ing)?|change|set(?:ting)?|modify|edit|create|enter|type|increase|decrease|reduce|raise|lower|configure|insert|specify|assign|adjust|double-click|replace|use the following|value of)\b",
    re.I,
)
# Titles of lists of all values that there are, which tell nobody to set them.
REFERENCE = re.compile(
    r"\b(?:Entries|Registry Parameters|Release Notes|Read ?me\w*|Parameters for|Guide to|[A-Z]+\.(?:TXT|WRI|HLP))\b", re.I
)
# What introduces a description instead of an instruction.
DESCRIBED = re.compile(
    r"\b(?:the following (?:registry )?(?:parameters|entries|values|keys|list|table)[^.:]{0,60}(?:are|is|can be|describes?|lists?|may be|contains?) (?:available|used|found|described|valid|stored|added|created|supported|defined|optional)|for example|by default|stored (?:in|under)|is located in|determines whether|are stored|listed below are|was added to|are created|installed under)\b",
    re.I,
)
UNSET = re.compile(
    r"^(?:<|\[|(?:the |your |a |an )?(?:name|number|path|list|string|account|server|value|user|domain|size|desired|appropriate|whatever|any|see|user-defined|specified|varies|depends|in (?:seconds|minutes|hours|days|bytes|milliseconds|kb)|seconds|minutes|bytes|milliseconds|number of|text|full|valid|location|xx+|x\b|n\b|nnn?)\b|\.\.\.|\?|(?:\d+|0x[\da-f]+) ?(?:-|to|through|\.\.) ?(?:\d+|0x[\da-f]+)|.*\b(?:where|whichever|depending|desired|you want|any number|or higher|or greater|between)\b)",
    re.I,
)
_DATA = r"(?P<data>\"[^\"]{1,60}\"|'[^']{1,40}'|0x[\da-f]+\b|-?\d[\d,]*(?:\.\d+)?\b(?! ?(?:or|and) later)|(?:TRUE|FALSE|YES|NO|ON|OFF|zero|one|blank)\b)"
_ITS = r"(?:the |a |an |its |this |that |registry |data |value |setting |string |entry |parameter |key |dword |reg_\w+ |decimal |hex(?:adecimal)? |be |read |of |to |equal |type |number )*"
# "change ... to 5": what stands between holds the value's name, or "it".
CHANGE = re.compile(
    rf"\b(?P<verb>change|set|modify|edit|increase|decrease|reduce|raise|lower|adjust|reset|configure|replace)\b(?P<between>[^.;:]{{0,140}}?)(?:\b(?:to|at|as|of|with)\b|=|equals?) ?{_ITS}{_DATA}",
    re.I,
)
ADD_SET = re.compile(
    rf"\b(?P<verb>add|create|enter|insert|use)\b(?P<between>[^.;]{{0,140}}?)(?:\b(?:set (?:it|to)|value of|data of|setting of|equal to|set its|with|and set)\b|=) ?{_ITS}{_DATA}",
    re.I,
)
MUST_BE = re.compile(
    rf"(?P<between>[^.;:,]{{2,80}}?) (?P<verb>should|must|needs? to|has to) be (?:set|changed|increased|reduced|configured|modified|added)\b[^.;]{{0,20}}? ?(?:to|equal to|at|with|=) ?{_ITS}{_DATA}",
    re.I,
)
TYPED = re.compile(
    rf"\b(?P<verb>change|set|type|enter|modify|replace|increase|reset)\b(?P<between>(?: (?:the|this|that|its|it|data|value|string|setting|number|entry|current|existing|in|box|with|to|be|read|equal|as|from|of|a|decimal|hex|hexadecimal|registry|for|and|then|click|dword|editor|field|new|a value of)\b| 0x[\da-f]+ to| \d+ to|:| =)*) ?{_DATA}",
    re.I,
)
# Sentences that name a value to work on, without saying to what it is set.
NAMED = (
    re.compile(r"\b(?:add|create)\b(?P<between>[^.;]{0,100}?\b(?:value|entry|parameter|key|keyword)s?\b[^.;]{0,80})", re.I),
    re.compile(
        r"\b(?:click|point to|choose|select)\b[^.;]{0,60}?\b(?:type|name it|enter|call it)\b(?P<between>[^.;]{1,80})", re.I
    ),
    re.compile(
        r"\b(?:locate|double-click|select|highlight|click|find|modify|edit|go to|open|change)\b(?P<between>[^.;:]{1,80}?\b(?:value|entry|parameter|item|setting|variable)\b)",
        re.I,
    ),
    re.compile(r"\b(?:double-click|edit|select|highlight)\b(?P<between>[^.;:,]{1,60})", re.I),
    re.compile(r"\bfollowing (?:registry )?(?:entry|value|parameter|key)s?:(?P<between>.{2,60})$", re.I),
    re.compile(r"\b(?:enter|type)\b(?P<between>[^.;:]{1,60}?) (?:as the|for the|in the) (?:value )?name\b", re.I),
    re.compile(r"\b(?:value|entry) for\b(?P<between>[^.;:,]{1,40})", re.I),
)
GOOD = re.compile(
    rf"\b(?:good|recommended|suggested|reasonable|appropriate|best|optimal)(?: starting| initial)? (?:value|setting|number)s?(?: for \w+)? (?:is|would be|of|to use is|:) ?{_DATA}",
    re.I,
)
ELSEWHERE = re.compile(
    r"\b(?:same as|stored|is located|listed|installed|created|exists?|found|appears?|written)\b[^.]{0,60}$", re.I
)
LIST = re.compile(
    r"\b(?:set|change|add|modify|increase|adjust|edit|tune)\b[^.]{0,40}\bfollowing\b[^.]{0,40}\b(?:parameter|value|entr|propert|setting)\w*:?$",
    re.I,
)
FROM_TO = re.compile(rf"\b(?:from (?:an? )?\S+(?: \([^)]*\))? )?to (?:an? |be )?{_DATA}", re.I)
PENDING = re.compile(rf"\b(?:set|change) the following (?:registry )?(?:value|entry|key)s? to {_DATA}:?$", re.I)
BY_CHANGING = re.compile(
    rf"\b(?:changing|change|setting)\b[^.;]{{0,60}}?\bfrom \S+ to (?:an? )?{_DATA}|\bSetting (?:this|it)(?: \w+){{0,2}} to {_DATA.replace('data', 'other')}",
    re.I,
)
AWAITED = re.compile(r"\b(?:add|type|enter|create|change|modify)\b[^.]{0,50}?\b(?:value|type|entry|name|parameter)s?:$", re.I)
REG_LINE = re.compile(
    r"^[ \t]*\"(?P<name>[^\"]{2,60})\"[ \t]*=[ \t]*(?:dword:[ \t]*(?P<dword>[0-9a-f]{8})|\"(?P<data>[^\"]*)\")", re.I
)
VALUE_IN = re.compile(
    r"\b(?i:locate|find|select|click|double-click|modify|edit|set|change|open|add)\b(?: and (?:then )?click)?(?: on)?(?: the| a)?(?: new)? (?P<name>[A-Z][^.;:,\"]{2,58}?)(?: registry)? (?:value|entry)\b(?: (?:in|under|to|at|for|of) )",
    re.M,
)
OF_TO = re.compile(rf"\bvalue of {_DATA} to (?:the )?(?P<name>[A-Z]\w{{3,40}})\b")
ITEM = re.compile(
    r"^[ \t]*(?:[-*o] |\d\. )?[ \t]*(?P<name>[A-Za-z][\w ]{2,50}?)(?:[ \t]+(?:<set to |= ?)(?P<data>[^\s>(]+)[^\n]*)?$"
)
