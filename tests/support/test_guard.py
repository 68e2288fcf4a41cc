"""The guard refuses what no test may do, and lets the loopback pass."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import guard

GUARDED = Path(guard.__file__).parent / "guarded"


@pytest.fixture(autouse=True)
def forgiven(nothing_leaves_the_loopback: None) -> object:
    yield
    guard.refusals.clear()


def test_a_connection_beyond_the_loopback_is_refused_and_remembered() -> None:
    with socket.socket() as client, pytest.raises(guard.Refused):
        client.connect(("192.0.2.1", 80))
    assert guard.refusals == ["socket.connect to 192.0.2.1"]


def test_a_name_beyond_this_machine_is_not_looked_up() -> None:
    with pytest.raises(guard.Refused):
        socket.getaddrinfo("pacs.example.org", 80)
    assert guard.refusals == ["look-up of pacs.example.org"]


def test_a_reserved_name_just_does_not_exist() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("pacs.invalid", 80)
    assert guard.refusals == []


def test_unpickling_an_object_is_refused() -> None:
    with pytest.raises(guard.Refused):
        sys.audit("pickle.find_class", "os", "system")


def test_the_loopback_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("localhost", server.getsockname()[1])
        socket.create_connection(address, timeout=5).close()
    assert guard.refusals == []


def test_a_process_that_a_test_starts_is_guarded_too() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    environment = {"PYTHONPATH": os.pathsep.join([str(GUARDED), str(GUARDED.parents[2])])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "guard: refused socket.connect to 192.0.2.1" in done.stderr
