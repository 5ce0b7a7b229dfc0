"""What the transport tests share: a host with a key that it knows, and no thread, child or file left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import paramiko
import pytest

from tests.lab.hostile import Host, no_leaks


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    with no_leaks():
        yield


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("host")) as h:
        yield h


@pytest.fixture(scope="module")
def key(host: Host) -> Any:
    return paramiko.PKey.from_path(host.key)
