"""The values that an article tells to set: labelled and in prose, with the traps of the archive."""

from __future__ import annotations

import pytest

from auditor.advisories.article import ArticleSetting
from auditor.advisories.sources.kb.registry_path import normal_key
from tests.advisories.made import article

PARAMETERS = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Thing\Parameters"
LABELLED = r"""
1. Start Registry Editor (Regedt32.exe).

2. Locate the following key in the registry:

   HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Thing
   \Parameters

3. On the Edit menu, click Add Value, and then add the following registry value:

   Value Name: MaxThings
   Data Type:  REG_DWORD
   Value:      512
   Default:    64
   Range:      1 - 1024
"""
PROSE = rf"""
1. Locate the MaxThings value under the following key in the registry:

   {PARAMETERS}

2. On the Edit menu, click DWORD, type "0x200" (without the quotation marks), and
   then click OK.
"""
FORMS = [
    (LABELLED, (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (PROSE, (PARAMETERS, "MaxThings", "REG_DWORD", "0x200")),
    (f"Go to this key:\n\n   {PARAMETERS}\n\nChange the MaxThings value from 64 to 512.", (PARAMETERS, "MaxThings", None, "512")),
    (f"Add this to the registry:\n\n   {PARAMETERS}\\MaxThings:REG_DWORD:512", (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (f"Add the following value:\n\n   {PARAMETERS}\n\n   MaxThings:REG_SZ:YES", (PARAMETERS, "MaxThings", "REG_SZ", "YES")),
    (f'Add this:\n\n   [{PARAMETERS}]\n   "MaxThings"=dword:00000200', (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (LABELLED.replace("512\n", "<number of things>\n"), (PARAMETERS, "MaxThings", "REG_DWORD", None)),
    (LABELLED.replace("512\n", "1 - 1024\n"), (PARAMETERS, "MaxThings", "REG_DWORD", None)),
    ("In the [Thing] section of the System.ini file, add the following line:\n\n   MaxThings=512", ("System.ini", "MaxThings", None, "512")),
    ("Edit the boot.ini file and add the /3GB switch to the line.", ("boot.ini", "/3GB", None, None)),
    ("Type this:\n\n   cscript adsutil.vbs set w3svc/MaxThings 512\n\nto set the metabase property.", ("metabase", "MaxThings", None, "512")),
    (f"Go to this key:\n\n   {PARAMETERS}\n\nAdd the following value:\n\n    - MaxThings REG_DWORD 512\n", (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (LABELLED.replace("Thing\n   \\Parameters\n", "Thing\\Parameters\\\n   The following values appear in the right window:\n"), (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (f"Add the MaxThings value in the following key, and set it to 512:\n\n   {PARAMETERS}\n", (PARAMETERS, "MaxThings", None, "512")),
    (f"Go to this key:\n\n   {PARAMETERS}\n\nAdd this value:\n\n   Value Name: MaxThings Data Type: REG_DWORD Value: 512\n", (PARAMETERS, "MaxThings", "REG_DWORD", "512")),
    (f"Set the following registry value to 512:\n\n   {PARAMETERS}\\MaxThings\n", (PARAMETERS, "MaxThings", None, "512")),
    (f"Change the value in {PARAMETERS}\\MaxThings to 512.", (PARAMETERS, "MaxThings", None, "512")),
    ("Double-click HKEY_LOCAL_MACHINE, expand System, expand CurrentControlSet, expand Services, expand Thing, and then expand Parameters. Double-click MaxThings. Type 512.", (PARAMETERS.replace("SYSTEM", "System"), "MaxThings", None, "512")),
    (f"Locate this key:\n\n   {PARAMETERS.replace(chr(92), '/')}\n\nName the new DWORD value: Things At Most\n\nSet the value to: 512.", (PARAMETERS, "Things At Most", "REG_DWORD", "512")),
    (LABELLED + "\n4. Change the value to 5.\n", (PARAMETERS, "MaxThings", "REG_DWORD", "5")),
    (LABELLED.replace("Value:      512", "Value:      0 keeps things\n   Value:      1 removes them"), (PARAMETERS, "MaxThings", "REG_DWORD", None)),
    ("Edit System.ini. Change the line that reads:\n\n   MaxThings=64\n\nto read:\n\n   MaxThings=512\n", ("System.ini", "MaxThings", None, "512")),
    ("In Thing.ini, change Things=(few|many) to Things=many.", ("Thing.ini", "Things", None, "many")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), FORMS, ids=[f"{n}" for n in range(len(FORMS))])
def test_form(words: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert article(RESOLUTION=words).settings == (ArticleSetting(*expected),)


DESCRIBED = [
    f"The following values are stored in the registry:\n\n   {PARAMETERS}\n\nBy default there are 64 things.",
    f"Delete the key\n\n   {PARAMETERS}\n\nand restart the computer.",
    "On the Tools menu, click Options, and set the number of things to 5.",
    "Edit the Thing.ini file. It is similar to the following:\n\n" + "".join(f"   Entry{n}={n}\n" for n in range(20)),
    "Edit the Thing.ini file as follows:\n\n" + "".join(f"   Entry{n}={n}\n" for n in range(20)),
    f'Click Start, click Run, and type "regedit". Look at this key:\n\n   {PARAMETERS}',
    f"Create the Things registry key:\n\n   {PARAMETERS}\\Things",
]


@pytest.mark.parametrize("words", DESCRIBED)
def test_what_is_described_is_no_instruction(words: str) -> None:
    assert article(RESOLUTION=words).settings == ()


def test_a_place_named_among_the_causes_counts_for_what_the_resolution_tells() -> None:
    found = article(
        CAUSE=f"The value is kept here:\n\n   {PARAMETERS}", RESOLUTION='Set the MaxThings value to "512".'
    ).settings
    assert found == (ArticleSetting(PARAMETERS, "MaxThings", None, "512"),)


def test_symptoms_and_cause_tell_nobody_to_do_anything() -> None:
    assert article(SYMPTOMS=LABELLED).settings == ()
    assert article(CAUSE=LABELLED).settings == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"HKLM\System\CCS\Services\Thing", r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Thing"),
        (r"\SYSTEM\CurrectControlSet\Services\Thing", r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Thing"),
        (r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\WindowsNT\CurrentVersion", r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"),
        ("HKEY_LOCAL_MACHINE/SYSTEM/CurrentControlSet", r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet"),
        (r"HKEY_LOCAL_MACHINE \SOFTWARE\ Microsoft", r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft"),
        (r"KEY_LOCAL_MACHINE\Software", r"HKEY_LOCAL_MACHINE\Software"),
        (r"HKLM\SYSTEM\CurrentControlSet\Services\Thing\TCP/IP", r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Thing\TCP/IP"),
    ],
)  # fmt: skip
def test_misprints_are_read_as_they_are_meant(written: str, meant: str) -> None:
    assert normal_key(written) == meant


@pytest.mark.parametrize(
    "title", ["REG: Thing Service Entries, PART 1", "Thing Common Registry Parameters", "NETWORKS.TXT: Things"]
)
def test_a_list_of_all_values_tells_nobody_to_set_them(title: str) -> None:
    assert not article(RESOLUTION=LABELLED, title=title).settings
    assert article(RESOLUTION=LABELLED).settings
