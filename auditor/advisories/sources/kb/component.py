"""The optional part that must be there for a problem to exist: a role, a connector, a driver, somebody else's program.

COMPONENTS is the grammar: how articles call it, what we call it, and the services by whose presence a rule can tell
(empty where no service tells it, so that the rule's applicability stays unknown). Service names are those that the
archive's own registry paths name, and the vendor's documented names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auditor.advisories.pattern import Pattern
from auditor.advisories.sources.kb.fixes import INDEX
from auditor.advisories.sources.kb.structure import Structure, fold, sentences


class Known(NamedTuple):
    """A component that is known by name, with the signs by which a host shows it."""

    pattern: Pattern
    name: str
    services: tuple[str, ...]


class NamedComponent(NamedTuple):
    """The component that an article names, and the line that names it."""

    name: str
    services: tuple[str, ...]
    text: str
    start: int


_ROWS: tuple[tuple[str, str, str], ...] = (
    (r"(?:Microsoft )?Cluster (?:Server|Service|Administrator|node|disk|log|resource)s?|MSCS|Wolfpack|\bcluster(?:s|ed|ing)?\b", "Microsoft Cluster Server", "ClusSvc"),
    (r"Windows Load Balancing|\bWLBS\b", "Windows Load Balancing Service", "WLBS"),
    (r"\bRRAS\b|Routing and Remote Access|RIP (?:version|v|for)|\bOSPF\b|Steelhead|demand[- ]dial", "Routing and Remote Access Service", "RemoteAccess Router"),
    (r"\bPPTP\b|\bRAS\b|Remote Access(?: Ser(?:vice|ver))?|Dial-?Up Networking|\bDUN\b|RASPPP|\bSLIP\b|Rasman|Multilink|Autodial", "Remote Access Service (RAS)", "RemoteAccess RasMan"),
    (r"DHCP Server|DHCP (?:scope|database|manager|administrator|admin|relay|lease database|service)|DHCPAdmin|Superscope|BOOTP(?! Relay)|Dhcpssvc|DHCP Relay", "DHCP Server", "DHCPServer"),
    (r"DNS Server|DNS Manager|DNS (?:zone|service|cache|database|admin)|Dns\.exe|zone (?:transfer|file)|\bMicrosoft DNS\b|DNS (?:Does|May|Fails|Stops)", "DNS Server", "DNS"),
    (r"WINS Server|WINS (?:records?|Randomize\w*|Manager|entries|static mapping|database|replication|manager|service|admin|partner|push|pull|static|proxy)|Wins\.exe|\bWINS (?:Does|May|Fails|Stops|Not)", "WINS Server", "WINS"),
    (r"\bSNMP\b", "SNMP service", "SNMP"),
    (r"File and Print Services? for NetWare|\bFPNW\b", "File and Print Services for NetWare", "FPNW"),
    (r"Directory Service Manager for NetWare|\bDSMN\b", "Directory Service Manager for NetWare", "MSSYNC"),
    (r"Gateway (?:Service|Services) for NetWare|\bGSNW\b", "Gateway Service for NetWare", "NWCWorkstation"),
    (r"Client Services? for NetWare|\bCSNW\b|Nwrdr|\bNDS\b", "Client Service for NetWare", "NWCWorkstation"),
    (r"NWLink|\bIPX(?:/SPX)?\b", "NWLink IPX/SPX protocol", "NWLnkIpx"),
    (r"NetWare|Novell|IntranetWare|\bNDS\b", "a NetWare client or server", ""),
    (r"Services? for Macintosh|\bSFM\b|Macintosh (?:client|volume|file|user|print)s?|AppleTalk|Sfmsrv|MacFile", "Services for Macintosh", "MacFile MacPrint"),
    (r"\bDLC\b", "DLC protocol", "DLC"),
    (r"\bLPD\b|\bLPR\b|TCP/IP Print(?:ing| Server)|Lpdsvc", "TCP/IP Printing (LPD/LPR)", "LPDSVC"),
    (r"Network Monitor|\bNetmon\b|\bBloodhound\b", "Network Monitor", "nmagent bh"),
    (r"Simple TCP/IP", "Simple TCP/IP Services", "SimpTcp"),
    (r"\bDFS\b|Distributed File System", "Distributed File System", "Dfs"),
    (r"RSVP|Message Queu(?:e|ing)|\bMSMQ\b", "Message Queue Server", "MSMQ"),
    (r"Microsoft Transaction Server|\bMTS\b", "Microsoft Transaction Server", "MSDTC"),
    (r"Certificate (?:Server|Services)|\bCertSrv\b", "Certificate Server", "CertSvc"),
    (r"Index(?:ing)? (?:Server|Service)", "Index Server", "cisvc"),
    (r"FTP (?:Server|Service|Site|Status)|\bMSFTPSVC\b|IIS FTP|to FTP", "FTP service", "MSFTPSVC FTPSVC"),
    (r"\bNNTP\b|Newsfeed|newsgroup", "NNTP service", "NntpSvc MSExchangeINS"),
    (r"\bIIS\b|Internet Information (?:Server|Services?)|Active Server Pages|\bASP\b", "Internet Information Server", "W3SVC"),
    (r"Outlook Web Access|\bOWA\b", "Outlook Web Access", "MSExchangeWEB W3SVC"),
    (r"\bXIMS\b|SMTP Message|Internet Mail (?:Connector|Service)|\bIMC\b|\bIMS\b|Msexcimc", "Internet Mail Connector / Internet Mail Service", "MSExchangeIMC"),
    (r"(?:Microsoft |MS )?Mail (?:Connector|Interchange|gateway)|MS ?Mail|Microsoft Mail|PC ?Mail|\bMSMI\b|\bMTA Interchange\b", "Microsoft Mail Connector", "MSExchangeMSMI MSExchangePCMTA*"),
    (r"cc:? ?Mail|\bCCMC\b", "Exchange Connector for Lotus cc:Mail", "MSExchangeCCMC"),
    (r"Notes Connector|Connector for (?:Lotus )?Notes|Notes/\w+ Connector|\bLME\b|\bDXANOTES\b|\bLSNTS\w*|Notes (?:client|mail|e-mail|user|database)", "Exchange Connector for Lotus Notes", "LME-NOTES MSExchangeCoCo"),
    (r"Notes Server|Lotus Notes|Domino", "a Lotus Notes server", "Lotus?Notes?Server* Lotus?Domino?Server* IBM?Domino?Server* HCL?Domino?Server*"),
    (r"GroupWise", "Exchange Connector for Novell GroupWise", "LME-GWISE MSExchangeGWRtr"),
    (r"SNADS", "Exchange Connector for SNADS", "LME-SNADS"),
    (r"\bPROFS\b|OV/VM|OfficeVision", "Exchange Connector for IBM OfficeVision/VM", "LME-PROFS"),
    (r"Dir(?:ectory)? ?Sync(?:hronization)?(?: (?:Agent|server|requestor))?|\bDXA\b|Dirsync", "Directory Synchronization (DXA)", "MSExchangeDX"),
    (r"Free/?Busy Connector|Schedule\+ Free/Busy|MSFBConn|\bFB Connector\b", "Schedule+ Free/Busy Connector", "MSExchangeFB"),
    (r"Key (?:Management|Manager)(?: Server| Service)?|\bKM ?[Ss]erver\b|\bKMS\b|\bKM database", "Key Management server", "MSExchangeKMS MSExchangeKMServer"),
    (r"X\.400 Connector|X\.25 (?:transport|connector|MTA)|TP4", "X.400 Connector", ""),
    (r"(?:Exchange )?Chat (?:Service|Server|Performance|channel)|\bIRCX?\b", "Exchange Chat Service", "MSExchangeChat"),
    (r"Scripting Agent|Event Service|Event ?Scripting", "Exchange Event Service", "MSExchangeES"),
    (r"InterOrg|Inter-Org", "InterOrg Synchronization or Replication tool", ""),
    (r"Site Replication Service|\bSRS\b", "Site Replication Service", "MSExchangeSRS"),
    (r"Active Directory Connector|\bADC\b", "Active Directory Connector", "MSADC"),
    (r"TN3270E?|TN5250", "TN3270/TN5250 service", "TN3270 TN5250"),
    (r"Host Print(?: (?:Service|Server))?|SNA Print|Pcsprint|Snaprint|\bPDT\b|LU ?[13] (?:print|session)|host print", "SNA Host Print Service", "SnaPrint"),
    (r"COM ?T(?:ransaction)? ?I(?:ntegrator)?\b|\bCOMTI\b", "COM Transaction Integrator", ""),
    (r"DB2OLEDB|OLE ?DB Provider for (?:DB2|AS/400)|OLE DB Provider|ODBC Driver for DB2|StarSQL|\bSNAOLEDB\b", "OLE DB Provider or ODBC driver for DB2 and AS/400", ""),
    (r"Shared Folders?|\bSNASFS\b", "Shared Folders Gateway", "SnaSharedFolders"),
    (r"Host Security|Host Account|Password Sync|SNAPmp|SNAUdb", "Host Security", "SNAPmp SnaHostProc"),
    (r"X\.25|QLLC|\bSDLC\b|Channel (?:link|adapter)|Barr|MicroGate|Eicon", "a certain SNA link service", ""),
    (r"Distributed Link|Snadmod", "Distributed Link Service", ""),
    (r"OS/2 client|IBM OS/2", "OS/2 clients", ""),
    (r"Software Metering|\bCrystal\b", "SMS Software Metering", ""),
    (r"\b(?:Client|Gateway|Server) for NFS|\bNFS Server|Server for NIS|Services for UNIX", "Services for UNIX", ""),
    (r"\bGINAs?(?:\.dll)?\b", "another vendor's GINA", ""),
    (r"Remote ?boot", "Remoteboot Service", "RemoteBoot"),
    (r"Advertised Programs|Logon (?:Discovery|Installation)|Logon_?Server|License (?:Server|Metering)|LogonServer|LANDesk|Remote Tools", "an optional SMS feature", ""),
    (r"Resource Kit|Sysdiff|Uptomp", "the Resource Kit", ""),
    (r"\bAntivirus|anti-virus", "antivirus software", ""),
    (r"Cirrus|Rage Pro|Backup Agent", "a certain device or agent", ""),
    (r"Management Agent|\bMAPI MA\b", "a management agent of Metadirectory Services", ""),
    (r"Metaframe|Citrix|WinFrame|\bICA\b", "Citrix MetaFrame or WinFrame", ""),
    (r"Seagate|Backup Exec|ArcServe|Cheyenne|Symantec|pcANYWHERE|Norton|McAfee|Netscape|Oracle|Lotus|WordPerfect|CorelDRAW|Octopus|Diskeeper|Legato|Veritas|Trend|InocuLAN|Reflection|Attachmate|Wall Data|Rumba|Eudora|AutoCAD|PageMaker|Banyan|Pathworks|StarQuest|Sterling|KiXtart|Telxon|NetManage|FTP Software|Hummingbird|Insignia|Sybase|Informix|Netfinity|Insight Manager|OpenView|Unicenter|Tivoli", "a program of another vendor", ""),
)  # fmt: skip
COMPONENTS = tuple(Known(Pattern(pattern), name, tuple(services.split())) for pattern, name, services in _ROWS)
_WORDS = [(word, n) for n, known in enumerate(COMPONENTS) for word in known.pattern.words]
# Hardware and its drivers, and printers: recognised by a maker or a model beside a word for a device.
_MAKER = (
    r"3Com|Adaptec|Compaq|Dell|Digital|DEC|Intel|IBM|Toshiba|HP|Hewlett|Canon|Epson|Lexmark|Matrox|S3|ATI|Cirrus|Diamond|Creative|Sound ?Blaster|Mylex|BusLogic|Madge|Olicom|Proteon|SMC|Xircom|Cabletron|DigiBoard|Digi(?:board)?|Equinox|Stallion|"
    r"Number Nine|Tseng|Western Digital|Panasonic|Sony|Mitsumi|NEC|Hitachi|Plextor|Iomega|Seagate|Quantum|Conner|Micropolis|Exabyte|Tecmar|Logitech|Kensington|Gateway|Zenith|Micron|AST|Acer|NCR|Symbios|Promise|Future Domain|DPT|Racal|Eicon|Proliant|Thinkpad|Latitude|Tecra|"
    r"Megahertz|US Robotics|Hayes|Cardinal|Microdyne|Thomas-Conrad|Standard Microsystems|Asante|Apricot|Siemens|Fujitsu|Okidata|QMS|Kyocera|Ricoh|Brother|Xerox|Lasermaster|Tektronix|Wacom|Elsa|STB|Hercules|Orchid|Trident|Chips|Weitek|LaserJet|DeskJet|PaintJet|BubbleJet|DesignJet|PrintServer|Celebris|Alphaserver|AlphaStation|PowerPC|MIPS"
)
_DEVICE = r"(?:adapter|card|controller|driver|printer|drive|modem|scanner|chip ?set|tape|CD-?ROM|device|keyboard|mouse|joystick|plotter|board|NIC|array|port replicator|docking|monitor|video|display|BIOS|jet|SCSI|Token Ring|Ethernet)s?"
MAKER = re.compile(rf"\b(?:{_MAKER})\b")
_HARDWARE = Pattern(
    rf"\b(?:{_MAKER})\b|\b(?:printer|video|display|sound|network|SCSI|PCMCIA|PC Card|tape|Token Ring|Ethernet|FDDI|ATM|serial|mouse|joystick|modem|multiport|IDE|RAID|CD-?ROM|AGP|ISDN|fax) (?:\w+ )?(?:driver|adapter|card|controller|board|drive|chip ?set)s?\b|\b[A-Z][A-Za-z]*\d+\w*\.(?:SYS|DLL|DRV)\b|Generic ?/? ?Text(?: Only)?|PostScript|\bGINAs?\b|[Kk]eyboard [Ll]ayout|service provider|\bPCL\b|\bHPGL\b|\b\w+jet\b"
)
# Makers of adapters: their name and a model are enough, without a word for the device.
_ADAPTER = Pattern(
    r"\b(?:3Com|Adaptec|BusLogic|Cabletron|Matrox|Olicom|Madge|Mylex|Xircom|Digi(?:Board)?|Equinox|Promise|NCR|Symbios|Creative|S3|ATI|Number Nine|Diamond|Panasonic|Plextor|Exabyte|Wacom)\b.{0,20}\b[A-Z]*-?\d{2,}\w*"
)
_HOW_TO = re.compile(
    r"^(?:[A-Z0-9]+: )?(?:How|HOWTO|INFO|DOC|Info|List of|Using|Description|Overview|Definition|FAQ|Q&A|What|Where|Configuring|Installing|Understanding|Explanation|README|SAMPLE|FILE|Troubleshooting|Doc Err|INF|Differences|Setting|Creating|Changing)\b"
)
_PREFIX = re.compile(r"^(?:[A-Z0-9&/ ]{2,9}: |Err(?:or)? Msg: )+")


def component(article: Structure) -> NamedComponent | None:
    """What must be present; None where the product itself is affected, or where no problem is described."""
    title = _PREFIX.sub("", article.title)
    if INDEX.search(article.title) or _HOW_TO.match(article.title):
        return None
    applies = article.applies_to[0].text if article.applies_to else ""
    if found := _known(article.title, applies):
        return NamedComponent(found.name, found.services, article.title, article.title_at)
    for text, start in _opening(article):
        if found := _known(_condition(text), applies):
            return NamedComponent(found.name, found.services, text, start)
    if (m := _ADAPTER.search(title)) or ((m := _HARDWARE.search(title)) and re.search(_DEVICE, title, re.I)):
        return NamedComponent(title[m.start() :][:60].strip(), (), article.title, article.title_at)
    if m := article.near(_STRANGERS, "third-party", "manufactured", "independent"):
        return NamedComponent("a product of another vendor", (), fold(m[0]), m.start())
    return None


# The words by which these articles disclaim a product of somebody else.
_STRANGERS = re.compile(
    r"third-party\s+products?\s+(?:that\s+(?:is|are)\s+)?(?:discussed|mentioned|included)|(?:is|are)\s+manufactured\s+by|vendors?\s+independent\s+of\s+Microsoft|products?\s+included\s+here\s+(?:is|are)\s+manufactured",
    re.I,
)
_CONDITION = re.compile(
    r"\b(?:when|if|while|after|on|with|using|running|uses?|installed|configured|through|over|via|by|from)\b.{0,160}", re.I
)


def _condition(text: str) -> str:
    m = _CONDITION.search(text)
    return m[0] if m else ""


def _candidates(lowered: str) -> list[int]:
    """The components of whose patterns a text holds a word."""
    return sorted({n for word, n in _WORDS if word in lowered})


def _known(text: str, applies: str) -> Known | None:
    """The first component that a text names and that is not the article's own product."""
    found: tuple[int, Known] | None = None
    lowered, own = text.lower(), applies.lower()
    for n in _candidates(lowered):
        known = COMPONENTS[n]
        m = known.pattern.compiled.search(text)  # a word of it is there
        if m and not known.pattern.search(applies, own) and (found is None or m.start() < found[0]):
            found = (m.start(), known)
    return found[1] if found else None


_OPENING = 1_500  # letters in which a first sentence ends


def _opening(article: Structure) -> Iterator[tuple[str, int]]:
    """The sentences in which the condition of a problem stands: the first of SYMPTOMS and of CAUSE."""
    for section in article.sections:
        if section.name.startswith(("SYMPTOM", "SUMMARY", "CAUSE")):
            first = next(sentences(article.text, section.start, min(section.end, section.start + _OPENING)), None)
            if first:
                yield first.text, first.start
