"""`sc query` and `net start`: which services there are, and which run."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.host import WindowsHost
from tests.lab.windows.words import LABELS, word

_TYPES = {
    0x10: "WIN32_OWN_PROCESS", 0x20: "WIN32_SHARE_PROCESS", 0x30: "WIN32", 0xD0: "USER_OWN_PROCESS INSTANCE",
    0xE0: "USER_SHARE_PROCESS INSTANCE", 0x110: "WIN32_OWN_PROCESS (interactive)", 0x120: "WIN32_SHARE_PROCESS (interactive)",
}  # fmt: skip


def net_start(host: WindowsHost) -> str:
    nt = "nt" if host.ver.startswith("Windows NT") else ""
    names = sorted((s["display"] for s in host.services.values() if s["state"] == "Running"), key=str.lower)
    lines = [word(host.language, "started", nt), "", *(f"   {n}" for n in names), "", word(host.language, "done"), "", ""]
    return "\r\n".join(lines)


def sc(host: WindowsHost, arguments: list[str]) -> tuple[str, int]:
    """`sc query [NAME] [type= T] [state= S] [bufsize= N]`; an option ends in `=` and its value is the next word."""
    if not arguments or arguments[0].lower() != "query":
        raise NotImplementedError(f"sc {arguments}")
    words, named, options = arguments[1:], None, dict[str, str]()
    while words:
        if words[0].endswith("=") and len(words) > 1:
            options[words[0].lower()] = words[1].lower()
            del words[:2]
        else:
            named = words.pop(0)
    if named is not None:
        found = next((n for n in host.services if n.lower() == named.lower()), None)
        if found is None:
            text = word(host.language, "no service")
            return f"[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n{text}\r\n\r\n", 1060
        return _entry(host, found, host.services[found], with_display=False), 0
    wanted = {"all": ("Running", "Stopped"), "inactive": ("Stopped",)}.get(options.get("state=", ""), ("Running",))
    # Sorted by display name on real hosts' older versions; by service name on later ones: neither is to be relied on.
    services = [(n, s) for n, s in sorted(host.services.items(), key=lambda i: i[0].lower()) if s["state"] in wanted]
    room, output = int(options.get("bufsize=", "1024")), []
    for index, (name, about) in enumerate(services):
        # Before Vista what does not fit into the buffer is left out, with a line that says so.
        room -= 36 + 2 * (len(name) + len(about["display"]) + 2) if host.reg_style == "xp" else 0
        if room < 0:
            left = sum(36 + 2 * (len(n) + len(a["display"]) + 2) for n, a in services[index:])
            output.append(f"\r\nEnum: more data, need {left} bytes start resume at index {index}\r\n")
            break
        output.append(_entry(host, name, about))
    return "".join(output), 0


def _entry(host: WindowsHost, name: str, about: dict[str, Any], with_display: bool = True) -> str:
    labels = LABELS.get(host.language, LABELS["en"])
    xp = host.reg_style == "xp"
    kind, running = about.get("type", 0x10), about["state"] == "Running"
    comma, gap = (",", "\t") if xp else (", ", "  ")
    accepts = (
        ("STOPPABLE", "NOT_PAUSABLE", "ACCEPTS_SHUTDOWN") if running else ("NOT_STOPPABLE", "NOT_PAUSABLE", "IGNORES_SHUTDOWN")
    )
    code = 0 if running else 1077  # "no attempt to start the service has been made since the last boot"
    lines = [
        "",
        f"{labels[0]}: {name}",
        *([f"{labels[1]}: {about['display']}"] if with_display else []),
        f"        {labels[2]:<19}: {kind:x}  {_TYPES.get(kind, 'ERROR')}  ",
        f"        {labels[3]:<19}: {4 if running else 1}  {'RUNNING' if running else 'STOPPED'} ",
        *([f"                                ({comma.join(accepts)})"] if running or xp else []),
        f"        {labels[4]:<19}: {code}{gap}({code:#x})",
        f"        {labels[5]:<19}: 0{gap}(0x0)",
        f"        {labels[6]:<19}: 0x0",
        f"        {labels[7]:<19}: 0x0",
        "",
    ]
    return "\r\n".join(lines)
