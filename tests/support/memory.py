"""What a process and its children take of the machine, as the kernel counts it: bytes and seconds."""

import os
from collections.abc import Iterator
from pathlib import Path

_RESET_PEAK = "5"  # proc(5): writing it to clear_refs sets VmHWM back to VmRSS


def resident(pid: int) -> int:
    """Resident memory now."""
    return sum(_status(member, "VmRSS") for member in family(pid))


def peak(pid: int) -> int:
    """The highest resident memory of each process since `reset_peak`, added up."""
    return sum(_status(member, "VmHWM") for member in family(pid))


def reset_peak(pid: int) -> None:
    """Forget the peak so far."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text(_RESET_PEAK)


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:  # a thread that ended meanwhile
            continue
        for child in children:
            yield from family(int(child))


def processor_seconds(pid: int) -> float:
    """What the process itself has taken of the processors so far, in user space and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime, stime


def open_files(pid: int) -> int:
    """How many file descriptors the process itself has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0  # a process that has just ended
