"""What people do today: pywinrm alone, one session to a host and one `run_cmd` for each question.

It imports nothing of the product's, and only keeps what comes back. Run as a script with the name of a JSON file: jobs,
user, password, questions (command lines by kind of host) and hosts (pairs of URL and kind); prints how many answered.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import winrm


def read(url: str, user: str, password: str, all_queries: list[str]) -> list[bytes]:
    """All answers of one host, or what was said instead of one; raises where it does not answer."""
    session = winrm.Session(url, auth=(user, password), transport="ntlm", proxy=None)
    return [said.std_out or said.std_err for said in map(session.run_cmd, all_queries)]


def main() -> None:
    said = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

    def one(host: list[str]) -> list[bytes]:
        return read(host[0], said["user"], said["password"], said["questions"][host[1]])

    with ThreadPoolExecutor(said["jobs"]) as executor:
        print(sum(1 for answers in executor.map(one, said["hosts"]) if answers[0].strip()))


if __name__ == "__main__":
    main()
