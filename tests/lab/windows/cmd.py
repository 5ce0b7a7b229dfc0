"""Windows' command processor for a posed host: enough of cmd.exe to run what an auditor asks, in the host's own words.

`run` takes a command line as WinRS or sshd hands it over. `cmd /q /d` reads lines from its input, prints its banner first
and ends with the last command's status. What it cannot do (pipes, files, `if`, `for`) raises, so that no test passes by
a silence of the lab.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator

from tests.lab.windows import cmd_reg, cmd_services, powershell
from tests.lab.windows.host import WindowsHost, load_host
from tests.lab.windows.words import word

UTF8 = 65001
_PROMPT = "C:\\>"


def run(host: WindowsHost, command_line: str, stdin: bytes = b"", code_page: int | None = None) -> tuple[bytes, bytes, int]:
    """Output, errors and exit status. `code_page`: what WINRS_CODEPAGE asked for; else the host's OEM code page."""
    if posed := powershell.answer(host, command_line, stdin):
        return posed
    page = code_page or host.oem_codepage
    encoding = "utf-8" if page == UTF8 else f"cp{page}"
    interpreter = _Interpreter(host, page)
    found = re.match(r'\s*"?(?:[^"\s]*\\)?cmd(?:\.exe)?"?((?:\s+/[a-z](?::\S+)?)*)\s*$', command_line, re.I)
    inner = re.match(r'\s*"?(?:[^"\s]*\\)?cmd(?:\.exe)?"?(?:\s+/[abdefqsuv](?::\S+)?)*\s+/[ck]\s*(.*)', command_line, re.I)
    if found and not inner:
        interpreter.read(stdin.decode(encoding, "replace"), quiet="/q" in found[1].lower())
    else:
        interpreter.do(inner[1].strip().removeprefix('"').removesuffix('"') if inner else command_line)
        interpreter.status = 1 if interpreter.status == 9009 else interpreter.status  # as `cmd /c` reports it
    return (
        "".join(interpreter.output).encode(encoding, "replace"),
        "".join(interpreter.errors).encode(encoding, "replace"),
        interpreter.status,
    )


class _Interpreter:
    def __init__(self, host: WindowsHost, page: int) -> None:
        self.host, self.page, self.echo = host, page, True
        self.output: list[str] = []
        self.errors: list[str] = []
        self.status, self.over = 0, False

    def read(self, text: str, quiet: bool) -> None:
        self.echo = not quiet
        self.output.append(banner(self.host))
        for line in text.replace("\r\n", "\n").removesuffix("\n").split("\n"):
            if self.echo:
                self.output.append(f"\r\n{_PROMPT}{line}\r\n")
            self.do(line)
            if self.over:
                return
        if self.echo:
            self.output.append(f"\r\n{_PROMPT}")

    def do(self, line: str) -> None:
        """One line: variables first, as they are when the line is read, then its commands one by one."""
        for joint, command, redirected in _commands(self._expand(line)):
            if (joint == "&&" and self.status) or (joint == "||" and not self.status):
                continue
            output, errors = self._command(command)
            streams = {1: self.output, 2: self.errors}
            nowhere: list[str] = []
            for number, target in redirected:
                streams[number] = nowhere if target == "nul" else streams[int(target)]
            streams[1].append(output)
            streams[2].append(errors)
            if self.over:
                return

    def _expand(self, line: str) -> str:
        known = {"errorlevel": str(self.status), "os": "Windows_NT", "systemroot": self._root(), "windir": self._root()}
        return re.sub(r"%(\w+)%", lambda m: known.get(m[1].lower(), m[0]), line)  # unknown ones stay, as at the prompt

    def _root(self) -> str:
        value = self.host.value(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot")
        return str(value.data) if value else r"C:\WINDOWS"

    def _command(self, text: str) -> tuple[str, str]:
        """Runs one command and sets the status; gives its output and errors."""
        spoken = re.match(r"\s*echo(?:([.:(\[/]|(?=\s)|$))(.*)", text, re.I | re.S)
        if spoken:
            return self._echo(spoken[1], spoken[2]), ""
        name, _, rest = text.strip().partition(" ")
        if not name or name.lower() == "rem":
            return "", ""
        program = name.strip('"').lower().removesuffix(".exe").rpartition("\\")[2]
        if program in self.host.hollow:
            self.status = 0
            return "", ""
        match program:
            case "ver":
                self.status = 0
                return f"\r\n{self.host.ver}\r\n", ""
            case "chcp":
                self.status = 0
                return f"Active code page: {self.page}\r\n", ""
            case "exit":
                self.over = True
                self.status = int(code[0]) if (code := re.findall(r"\d+$", rest.strip())) else self.status
                return "", ""
            case "reg" if self.host.reg_exe:
                words = _words(rest)
                if not words or words[0].lower() != "query":
                    raise NotImplementedError(text)
                output, errors, self.status = cmd_reg.query(self.host, words[1:])
                return output, errors
            case "sc" if self.host.sc_exe:
                output, self.status = cmd_services.sc(self.host, _words(rest))
                return output, ""
            case "net" if rest.lower().split() == ["start"]:
                self.status = 0
                return cmd_services.net_start(self.host), ""
            case "if" | "for" | "set" | "type" | "net":
                raise NotImplementedError(text)
        self.status = 9009
        variant = "nt" if self.host.ver.startswith("Windows NT") else ""
        return "", word(self.host.language, "unknown", variant).format(name.strip('"')) + "\r\n"

    def _echo(self, joined: str, rest: str) -> str:
        said = rest if joined else rest[1:]
        if not joined and said.strip().lower() in ("on", "off"):
            self.echo = said.strip().lower() == "on"
            return ""
        if not joined and not said.strip():
            return f"ECHO is {'on' if self.echo else 'off'}.\r\n"
        return f"{said}\r\n"


def banner(host: WindowsHost) -> str:
    if host.ver.startswith("Windows NT"):
        return "Microsoft(R) Windows NT(TM)\r\n(C) Copyright 1985-1996 Microsoft Corp.\r\n\r\n"
    if host.reg_style == "xp":
        return f"{host.ver}\r\n(C) Copyright 1985-2003 Microsoft Corp.\r\n\r\n"
    return f"{host.ver}\r\n(c) {word(host.language, 'rights')}\r\n\r\n"


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.escape, lexer.quotes, lexer.commenters = True, "", '"', ""
    return list(lexer)


def _commands(line: str) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """(what joins it to the one before, the command, its redirections) of one line, `^` and quotes understood."""
    joint, text, redirected, quoted, at = "&", "", list[tuple[int, str]](), False, 0
    while at < len(line):
        c = line[at]
        if c == '"':
            quoted = not quoted
        if quoted or c == '"':
            text, at = text + c, at + 1
        elif c == "^":
            text, at = text + line[at + 1 : at + 2], at + 2
        elif c == "&" or line.startswith("||", at):
            yield joint, text, redirected
            joint = line[at : at + 2] if line[at : at + 2] in ("&&", "||") else "&"
            text, redirected, at = "", [], at + len(joint)
        elif c == ">":
            found = re.match(r">\s*(nul\b|&([12]))", line[at:], re.I)
            if not found:
                raise NotImplementedError(line)
            number = re.search(r"(?:^|(?<=\s))([12])$", text)
            text = text[: number.start()] if number else text
            redirected.append((int(number[1]) if number else 1, found[2] or "nul"))
            at += found.end()
        elif c in "<|":
            raise NotImplementedError(line)
        else:
            text, at = text + c, at + 1
    yield joint, text, redirected


if __name__ == "__main__":
    out, err, status = run(load_host(sys.argv[1]), " ".join(sys.argv[2:]), sys.stdin.buffer.read())
    sys.stdout.buffer.write(out)
    sys.stderr.buffer.write(err)
    sys.exit(status & 0xFF)
