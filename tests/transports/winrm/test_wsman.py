"""WS-Management messages: what is asked, and answers that are odd or hostile."""

from __future__ import annotations

import re
import tracemalloc
from xml.etree import ElementTree

import pytest

from auditor.errors import HostError, Refused
from auditor.model.windows import Cell
from auditor.transports.winrm import wsman
from tests.lab.windows.wsman_faults import bomb

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
SOAP = 'xmlns:s="http://www.w3.org/2003/05/soap-envelope"'


def envelope(inner: str, head: str = "") -> bytes:
    return f"{head}<s:Envelope {SOAP}><s:Header/><s:Body>{inner}</s:Body></s:Envelope>".encode()


@pytest.mark.parametrize(
    "message",
    [
        wsman.enumerate_wql("http://h/wsman", 20, "SELECT * FROM C WHERE Name = '<&\">'", 7),
        wsman.pull("http://h/wsman", 20, "uuid:<&>", 7),
        wsman.release("http://h/wsman", 20, "uuid:<&>"),
        wsman.invoke_registry("http://h/wsman?a&b", 20, "GetStringValue", "A & <B>", 'x"<&'),
    ],
    ids=["enumerate", "pull", "release", "invoke"],
)
def test_what_is_asked_is_well_formed_whatever_it_names(message: str) -> None:
    root = ElementTree.fromstring(message)
    texts = "".join(root.itertext())
    assert "&" in texts
    assert "<" in texts
    assert "PT20S" in texts
    ids = [re.search(r"uuid:([0-9a-f-]{36})", m) for m in (message, wsman.release("http://h", 1, "x"))]
    assert ids[0]
    assert ids[1]
    assert ids[0][1] != ids[1][1]  # every message has an id of its own


@pytest.mark.parametrize("code", [*range(9), 11, 12, *range(14, 32)])
@pytest.mark.parametrize("form", ["&#{0};", "&#x{0:x};", "&#x{0:X};", "&#0{0};", "&#x00{0:X};"])
def test_control_characters_of_values_do_not_spoil_the_answer(code: int, form: str) -> None:
    found = wsman.fields(wsman.body(envelope(f"<a><b>x{form.format(code)}y</b></a>")))
    assert found == {"b": "x\ufffdy"}


@pytest.mark.parametrize("form", ["&#9;", "&#10;", "&#13;", "&#xA;", "&#x41;", "&#65;", "&#128;", "&#x1F600;"])
def test_other_references_stay_what_they_are(form: str) -> None:
    plain = ElementTree.fromstring(f"<b>{form}</b>").text
    assert wsman.fields(wsman.body(envelope(f"<a><b>{form}</b></a>"))) == {"b": plain}


@pytest.mark.parametrize(
    "answer",
    [
        bomb().encode(),
        bomb().encode("utf-16"),
        bomb().encode("utf-16-le"),
        bomb().encode("utf-16-be"),
        b"\n  " + bomb().partition("?>")[2].encode(),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:1/"> %b;]><a/>',
        b" " * (wsman.MAX_ANSWER + 1),
    ],
    ids=["bomb", "utf-16", "utf-16-le", "utf-16-be", "after-blanks", "file", "parameter", "long"],
)
def test_hostile_answers_are_not_parsed(answer: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(HostError) as raised:
            wsman.body(answer)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert raised.value.kind == "protocol"
    assert not isinstance(raised.value, Refused)  # the session ends
    assert "not read" in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<",
        b"<html><p></html>",
        b"\x80\xff",
        b"hello",
        b"<a/>",
        envelope(""),
        b"<s:Envelope><s:Body/></s:Envelope>",
        b"{}",
    ],
)
def test_answers_that_are_none(answer: bytes) -> None:
    with pytest.raises(Refused) as raised:
        wsman.body(answer)
    assert "is this a WinRM service?" in str(raised.value)


@pytest.mark.parametrize(
    ("inner", "cell"),
    [
        ("<p>x</p>", "x"),
        ("<p/>", ""),
        (f'<p {XSI} xsi:nil="true"/>', None),
        (f'<p {XSI} xsi:nil="1"/>', None),
        ("<p>a</p><p>b</p>", ("a", "b")),
        ("<p>a</p><p/><p>b</p>", ("a", "", "b")),
        ("<p><Datetime>2024-01-09T08:30:15Z</Datetime></p>", "2024-01-09T08:30:15Z"),
        ("<p><!-- a remark -->x</p>", "x"),
        ("<p><![CDATA[<x>]]></p>", "<x>"),
    ],
)
def test_cells(inner: str, cell: Cell) -> None:
    assert wsman.fields(wsman.body(envelope(f"<a>{inner}</a>"))) == {"p": cell}


@pytest.mark.parametrize("inner", ["<EnumerationContext/><Items><a/></Items>", "<Items><a/></Items>", ""])
def test_a_list_without_an_end_is_not_believed(inner: str) -> None:
    with pytest.raises(Refused, match="no end mark"):
        wsman.context(wsman.body(envelope(f"<EnumerateResponse>{inner}</EnumerateResponse>")))


def test_another_answer_is_no_empty_list() -> None:
    with pytest.raises(Refused, match="not rows"):
        list(wsman.rows(wsman.body(envelope("<Something/>"))))


@pytest.mark.parametrize(
    ("inner", "rows", "context"),
    [
        ("<EnumerationContext>c</EnumerationContext><Items><a><b>1</b></a><a/></Items>", 2, "c"),
        ("<EnumerationContext>c</EnumerationContext><Items/><EndOfSequence/>", 0, None),
        ("<EnumerationContext/><Items><a/></Items><EndOfSequence/>", 1, None),
    ],
)
def test_enumerations(inner: str, rows: int, context: str | None) -> None:
    answer = wsman.body(envelope(f"<EnumerateResponse>{inner}</EnumerateResponse>"))
    assert len(list(wsman.rows(answer))) == rows
    assert wsman.context(answer) == context
