"""Memory is measured of a whole family of processes."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import memory

_GROWS = "\n".join(
    [
        "import subprocess, sys",
        "print('ready', flush=True)",
        "input()",
        "block = bytearray(b'x') * 40_000_000",
        "del block",
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)",
        "print('grown', child.pid, flush=True)",
        "input()",
        "child.communicate(b'')",
    ]
)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _GROWS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


def say(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[bytes]) -> list[bytes]:
    assert process.stdout
    return process.stdout.readline().split()


def test_a_peak_is_seen_after_it_is_over_and_forgotten_when_told(process: subprocess.Popen[bytes]) -> None:
    hear(process)
    memory.reset_peak(process.pid)
    before = memory.peak(process.pid)
    say(process)
    hear(process)
    assert memory.peak(process.pid) - before > 35_000_000
    memory.reset_peak(process.pid)
    assert memory.peak(process.pid) - before < 35_000_000


def test_children_count(process: subprocess.Popen[bytes]) -> None:
    hear(process)
    alone = memory.resident(process.pid)
    say(process)
    child = int(hear(process)[1])
    assert list(memory.family(process.pid)) == [process.pid, child]
    assert memory.resident(process.pid) > alone


def test_the_processor_time_of_a_process_grows_with_its_work() -> None:
    before = memory.processor_seconds(os.getpid())
    while memory.processor_seconds(os.getpid()) < before + 0.05:
        sum(range(10_000))
