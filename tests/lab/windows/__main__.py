"""Serves posed Windows hosts from a process of its own: python -m tests.lab.windows NAME... [--tls FOLDER] [--auth ntlm,basic]

Prints one line of JSON, {name: port}, and ends when its stdin does. With --tls the authority to trust is FOLDER/*.pem's
`authority.pem`. A line on stdin is answered with a line of JSON: {name: {requests, connections}, "cpu": seconds}.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.lab.windows.host import HOSTS, load_host
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_tls import Authority


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.windows")
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"a host ({', '.join(HOSTS)}), or NAME=HOST to serve one twice"
    )
    parser.add_argument("--user", default="auditor")
    parser.add_argument("--password", default="Secret-1")
    parser.add_argument("--auth", default="ntlm", help="comma list of ntlm, basic, certificate")
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="serve https; certificates go into this folder")
    given = parser.parse_args()
    tls = Authority(given.tls, "authority").server(clients=True) if given.tls else None
    servers: dict[str, WsmanServer] = {}
    with ExitStack() as stack:
        for word in given.names:
            name, _, host = word.partition("=")
            server = WsmanServer(load_host(host or name), given.user, given.password, tuple(given.auth.split(",")), tls)
            servers[name] = stack.enter_context(server)
        print(json.dumps({name: s.port for name, s in servers.items()}), flush=True)
        for _ in sys.stdin:
            counts = {name: {"requests": s.requests, "connections": s.connections} for name, s in servers.items()}
            print(json.dumps({"cpu": time.process_time(), **counts}), flush=True)


if __name__ == "__main__":
    main()
