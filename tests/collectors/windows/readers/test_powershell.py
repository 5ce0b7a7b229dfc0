"""The PowerShell script is valid, keeps to PowerShell 2.0 and Constrained Language Mode, and only reads.

There is no PowerShell here, so nothing of this runs it: a parser reads it (tree-sitter's grammar of PowerShell), and what
may occur in it is listed. Everything is an allow-list, so that a construct nobody thought of is a fault too; the second half
holds that every kind of fault is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from tests.places import ROOT

SCRIPT = ROOT / "auditor/collectors/windows/readers/script.ps1"
TEXT = SCRIPT.read_bytes().decode("utf-8")

# Cmdlets with the parameters used, all of them in PowerShell 2.0 but Get-CimInstance, which stands behind a question.
CMDLETS = {
    "Get-ChildItem": {"-LiteralPath", "-Name"},
    "Get-CimInstance": {"-Query"},
    "Get-Command": {"-Name", "-CommandType", "-ErrorAction"},
    "Get-ItemProperty": {"-LiteralPath"},
    "Get-WmiObject": {"-Query"},
    "ForEach-Object": set(),
    "New-Object": {"-ComObject"},
}
COM = {"'Microsoft.Update.Session'", "'Microsoft.Update.AutoUpdate'"}
# Methods of strings and dates, which Constrained Language Mode allows, and those of the two COM objects, which it does not.
METHODS = {"LastIndexOf", "Substring", "ToCharArray", "ToUniversalTime"}
COM_METHODS = {"CreateUpdateSearcher", "Search"}
# Known to PowerShell 2.0 (as System.X where it has no short name) and allowed in Constrained Language Mode.
_TYPES = "array bool byte byte[] datetime decimal int long string string[] uint16 uint32 uint64"
TYPES = set(_TYPES.split())
_TOKENS = """ ( ) { } [ ] , ; . | & = += + - ++ .. @( @{ $( $_ if elseif else for foreach in function return throw try catch
    -and -or -eq -ne -lt -gt -is -like -notlike -cmatch -join -f """
TOKENS = {*_TOKENS.split(), " "}
STATEMENTS = {f"{kind}_statement" for kind in ("if", "for", "foreach", "function", "try", "flow_control")}
AUTOMATIC = {"$_", "$null", "$true", "$false", "$ExecutionContext", "$PSVersionTable", "$auditor"}
AUTOMATIC |= {"$env:PROCESSOR_ARCHITECTURE", "$env:PROCESSOR_ARCHITEW6432"}
SETTABLE = {"$searcher.Online", "$cache[$key]"}  # a COM object's own option, and a table of ours


def tree(text: str) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(text.encode()).root_node


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def said(node: Node | None) -> str:
    return (node.text or b"").decode() if node else ""


def parts(node: Node, kind: str) -> list[Node]:
    return [n for n in walk(node) if n.type == kind]


def above(node: Node, kind: str) -> Iterator[Node]:
    while node.parent:
        node = node.parent
        if node.type == kind:
            yield node


def layout(text: str) -> Iterator[str]:
    """`-Command -` runs a statement of several lines when it meets an empty one, and not before."""
    if not text.isascii() or re.search(r"[^\n -~]", text):
        yield "something else than printable ASCII and line ends"
    if not text.startswith("& {\n") or not text.endswith("\n}\n\n"):
        yield "it is not one block with an empty line at its end"
    if re.search(r"\n[ ]*\n", text[:-1]):
        yield "an empty line in the middle: the rest would be another statement"
    if any(len(line) > 128 for line in text.split("\n")):
        yield "a line longer than 128 characters"


def grammar(root: Node) -> Iterator[str]:
    for node in walk(root):
        if node.type == "ERROR" or node.is_missing:
            yield f"syntax, line {node.start_point.row + 1}: {said(node)[:40]!r}"
        elif node.type.endswith("_statement") and node.type not in STATEMENTS:
            yield f"statement {node.type}"
        elif node.type in ("redirection", "pipeline_chain_tail"):
            yield f"{node.type} {said(node)}"
        elif not node.children and not node.is_named and said(node).lower() not in TOKENS:
            yield f"operator or keyword {said(node)}"
        elif node.type == "type_spec" and said(node) not in TYPES:
            yield f"type [{said(node)}]"


def commands(root: Node) -> Iterator[str]:
    own = {said(n) for n in parts(root, "function_name")}
    for node in parts(root, "command"):
        name = next((said(c) for c in node.children if c.type in ("command_name", "command_name_expr")), "")
        given = {said(n) for n in parts(node, "command_parameter") if next(above(n, "command")) == node}
        called = any(c.type == "command_invokation_operator" for c in node.children)
        if called:
            if name.strip() != "$block" and not name.startswith("{"):
                yield f"call of {name}"
        elif name in own:
            if given:
                yield f"{name}: parameters by name"
        elif name not in CMDLETS:
            yield f"command {name}"
        elif given - CMDLETS[name]:
            yield f"{name} {' '.join(sorted(given - CMDLETS[name]))}"
        elif name == "ForEach-Object" and not parts(node, "script_block_expression"):
            yield "ForEach-Object without a block (PowerShell 3)"
        elif name == "New-Object" and not any(c in said(node) for c in COM):
            yield f"object: {said(node)}"
        elif name == "Get-CimInstance" and not any(
            "Get-Command -Name Get-WmiObject" in said(i) for i in above(node, "if_statement")
        ):
            yield "Get-CimInstance without asking for Get-WmiObject first (PowerShell 3)"


def members(root: Node) -> Iterator[str]:
    for node in parts(root, "invokation_expression"):
        name = said(next(iter(parts(node, "member_name")), None))
        if any(c.type == "::" for c in node.children) or parts(node, "type_literal"):
            yield f"static member {said(node)[:40]}"
        elif name not in METHODS | COM_METHODS:
            yield f"method {name}"
    for node in parts(root, "member_access"):
        if any(c.type == "::" for c in node.children):
            yield f"static member {said(node)[:40]}"
    for node in parts(root, "left_assignment_expression"):
        if not re.fullmatch(r"\$\w+", said(node)) and said(node) not in SETTABLE:
            yield f"assignment to {said(node)}"


def variables(root: Node) -> Iterator[str]:
    """Every variable that is read is given a value somewhere: what was never run must not hide a slip of the pen."""
    set_here = {said(n).lower() for n in parts(root, "left_assignment_expression")}
    set_here |= {said(n).lower() for p in parts(root, "script_parameter") for n in parts(p, "variable")}
    for loop in parts(root, "foreach_statement"):
        set_here.add(said(next(c for c in loop.children if c.type == "variable")).lower())
    allowed = {a.lower() for a in AUTOMATIC} | set_here
    for node in parts(root, "variable"):
        if said(node).lower() not in allowed:
            yield f"variable {said(node)}"


def functions(root: Node) -> Iterator[str]:
    """A function is called with as many arguments as it has parameters: PowerShell itself would not say a word."""
    arity = {said(parts(f, "function_name")[0]): len(parts(f, "script_parameter")) for f in parts(root, "function_statement")}
    for node in parts(root, "command"):
        name = said(next((c for c in node.children if c.type == "command_name"), None))
        elements = next((c for c in node.children if c.type == "command_elements"), None)
        given = [c for c in elements.children if c.type != "command_argument_sep"] if elements else []
        if name in arity and len(given) != arity[name]:
            yield f"{name} called with {len(given)} arguments, not {arity[name]}"


def constrained(root: Node) -> Iterator[str]:
    """COM objects stand behind a question for the language mode, in a section of their own."""
    for node in parts(root, "command"):
        if said(node).startswith("New-Object"):
            block = next((b for b in above(node, "script_block") if said(b).startswith(("#", "if ($mode"))), None)
            requirements = said(block).find("if ($mode -ne 'FullLanguage') { throw 'unreadable: constrained language' }")
            if block is None or requirements < 0 or (node.start_byte - block.start_byte) < requirements:
                yield "New-Object without asking for the language mode first"


def faults(text: str) -> list[str]:
    root = tree(text)
    checks = (layout(text), grammar(root), commands(root), members(root), variables(root), functions(root), constrained(root))
    return [fault for check in checks for fault in check]


def test_the_script_has_no_fault() -> None:
    assert faults(TEXT) == []


def test_the_checks_saw_the_whole_script() -> None:
    """A parser that gave up early would find nothing either."""
    root = tree(TEXT)
    assert root.end_byte >= len(TEXT.rstrip())
    assert len(parts(root, "function_statement")) == TEXT.count("\nfunction ")
    assert {said(n) for n in parts(root, "command_name")} >= set(CMDLETS)
    assert {said(n) for n in parts(root, "type_spec")} == TYPES


def test_it_says_that_it_was_not_executed() -> None:
    assert "NOT executed" in TEXT[:600]


PLACE = "$mark = $auditor[0]\n"
FAULTY = [
    ("if ($mark { 'x' }", "syntax"),
    ("'open", "syntax"),
    ("$x = 1 }", "syntax"),
    ("", "empty line"),
    ("   ", "empty line"),
    ("'gr\u00fcn'", "ASCII"),
    ("$x = '" + "x" * 128 + "'", "longer than 128"),
    # newer than PowerShell 2.0
    ("$x = [ordered]@{ a = 1 }", "type [ordered]"),
    ("$x = [pscustomobject]@{ a = 1 }", "type [pscustomobject]"),
    ("Get-CimInstance -Query 'SELECT Name FROM Win32_Service'", "Get-CimInstance without asking"),
    ("$x = 1 -in 1, 2", "keyword -in"),
    ("$x = 1 -notin 1, 2", "keyword -notin"),
    ("$x = 1 -shl 2", "-shl"),
    ("$x = ConvertTo-Json 1", "command ConvertTo-Json"),
    ("$x = $PSItem", "variable $PSItem"),
    ("$x = $mark ?? 'y'", "syntax"),
    ("$x = $mark ? 1 : 2", "syntax"),
    ("$x = $mark?.Length", ""),
    ("Get-Path 'x' && Get-Path 'y'", "pipeline_chain_tail"),
    ("Get-Path 'x' || Get-Path 'y'", "pipeline_chain_tail"),
    ("$mark.ForEach({ 1 })", ""),
    ("$mark.Where({ 1 })", ""),
    ("class A { }", "statement class_statement"),
    ("enum A { B }", "statement enum_statement"),
    ("using namespace System", ""),
    ("Get-Rows 'x' | Where-Object Name -eq 'y'", "command Where-Object"),
    ("Get-Rows 'x' | ForEach-Object Name", "ForEach-Object without a block"),
    ("Get-Rows 'x' | Out-String -NoNewline", "command Out-String"),
    ("$x = Get-ChildItem -LiteralPath 'x' -Name -Depth 2", "Get-ChildItem -Depth"),
    ("$x = Get-ItemPropertyValue -LiteralPath 'x'", "command Get-ItemPropertyValue"),
    ("$x = $using:mark", "variable $using:mark"),
    ("$x = $PSScriptRoot", "variable $PSScriptRoot"),
    # refused in Constrained Language Mode
    ("[Console]::WriteLine('x')", "static member"),
    ("$x = [string]::Join('', $auditor)", "static member"),
    ("$x = [IntPtr]::Size", "static member"),
    ("$x = [guid]'x'", "type [guid]"),
    ("$x = New-Object System.Text.StringBuilder", "object: New-Object"),
    ("$x = New-Object -ComObject 'Microsoft.Update.Session'", "without asking for the language mode"),
    ("$x = $mark.GetType()", "method GetType"),
    ("Add-Type 'class A { }'", "command Add-Type"),
    # writes, changes or runs something
    ("Set-ItemProperty -LiteralPath 'x' -Name 'y' -Value 1", "command Set-ItemProperty"),
    ("New-Item 'x'", "command New-Item"),
    ("Remove-Item 'x'", "command Remove-Item"),
    ("Start-Service 'x'", "command Start-Service"),
    ("Stop-Service 'x'", "command Stop-Service"),
    ("Restart-Computer", "command Restart-Computer"),
    ("Invoke-Expression $mark", "command Invoke-Expression"),
    ("Invoke-WmiMethod -Path 'x' -Name 'y'", "command Invoke-WmiMethod"),
    ("Get-Rows 'x' > 'y.txt'", "redirection"),
    ("Get-Rows 'x' 2>&1", "redirection"),
    ("Get-Rows 'x' | Out-File 'y.txt'", "command Out-File"),
    ("$env:PATH = 'x'", "assignment to $env:PATH"),
    ("$mark.Length = 1", "assignment to $mark.Length"),
    ("& $mark", "call of $mark"),
    (". $mark", "call of $mark"),
    ("& 'C:\\Windows\\System32\\shutdown.exe'", "call of"),
    ("cmd /c 'shutdown'", "command cmd"),
    ("exit 1 | iex", "command iex"),
    ("$x = New-Object -ComObject 'WScript.Shell'", "object: New-Object"),
    # aliases, slips of the pen
    ("dir 'HKLM:'", "command dir"),
    ("Get-Rows 'x' | % { $_ }", "command %"),
    ("$x = $amrk", "variable $amrk"),
    ("Format-Row ('a', 'b')", "Format-Row called with 1 arguments, not 2"),
    ("$x = Get-Path -key 'x'", "parameters by name"),
]


@pytest.mark.parametrize(("line", "fault"), FAULTY, ids=[f"{n}-{line[:30]}" for n, (line, _) in enumerate(FAULTY)])
def test_a_fault_is_noticed(line: str, fault: str) -> None:
    found = faults(TEXT.replace(PLACE, f"{PLACE}{line}\n", 1))
    assert any(fault in f for f in found), found


def test_a_missing_empty_line_at_the_end_is_noticed() -> None:
    assert faults(TEXT[:-1]) != []


def test_a_language_mode_asked_too_late_is_noticed() -> None:
    question = "if ($mode -ne 'FullLanguage') { throw 'unreadable: constrained language' }\n"
    session = "$session = New-Object -ComObject 'Microsoft.Update.Session'\n"
    assert question in TEXT
    assert session in TEXT
    assert faults(TEXT.replace(question, "").replace(session, session + question))
    assert faults(TEXT.replace(question, ""))


def test_the_pattern_of_plain_text_leaves_only_what_json_takes_as_it_stands() -> None:
    """What matches it goes out unescaped; the rest is escaped character by character."""
    found = re.search(r"-cmatch '(.+?)'", TEXT)
    assert found
    pattern = re.compile(found[1].replace(r"\z", r"\Z"))
    for code in (*range(0x300), 0x2028, 0xD800, 0xFFFF):
        plain = 32 <= code <= 126 and chr(code) not in '"\\'
        assert bool(pattern.match(chr(code))) is plain, hex(code)
    assert not pattern.match("line\n")
    assert json.loads('"' + "".join(chr(c) for c in range(32, 127) if chr(c) not in '"\\') + '"')
