"""Secret references: followed late, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import HostError
from auditor.foundation import secret_refs


def test_where_secrets_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "from env")
    file = tmp_path / "pw"
    file.write_text("from file \nsecond line\n")
    file.chmod(0o600)
    assert secret_refs.resolve("env:PW") == "from env"
    assert secret_refs.resolve(f"file:{file}") == "from file "
    assert secret_refs.resolve("command:printf 'from %s\\n' command") == "from command"
    assert secret_refs.resolve(secret_refs.keep_typed("typed")) == "typed"


def test_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its group bits are the mask of an access list that lets only the service's user in; anywhere else they are the group's."""
    file = tmp_path / "credentials" / "win"
    file.parent.mkdir()
    file.write_text("secret\n")
    file.chmod(0o440)
    with pytest.raises(HostError, match="can be read by others"):
        secret_refs.resolve(f"file:{file}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    assert secret_refs.resolve(f"file:{file}") == "secret"
    file.chmod(0o444)
    with pytest.raises(HostError, match="can be read by others"):
        secret_refs.resolve(f"file:{file}")


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("env:NO_SUCH_ONE", "is not set"),
        ("file:/no/such/file", "No such file"),
        ("command:no-such-command-here x", "is not found"),
        ("command:false", "exit status 1"),
        ("command:true", "is empty"),
        ("keyring:a/b", "keyring extra"),
        ("hunter2", "is not a secret reference"),
        ("env:", "is not a secret reference"),
    ],
)
def test_what_cannot_be_had(reference: str, says: str) -> None:
    with pytest.raises(HostError) as e:
        secret_refs.resolve(reference)
    assert e.value.kind == "secret-unavailable"
    assert says in str(e.value)


def test_no_shell_sees_a_command(tmp_path: Path) -> None:
    assert secret_refs.resolve(f"command:echo $HOME;touch {tmp_path}/x") == f"$HOME;touch {tmp_path}/x"
    assert not list(tmp_path.iterdir())
