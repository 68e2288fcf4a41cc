"""What a stranger may take of us: bytes, seconds and connections (law 10)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The front door's limits: sizes in bytes, times in seconds."""

    max_head: int = 64 * 1024  # request line and field lines together
    max_target: int = 16 * 1024
    max_header_lines: int = 100
    max_body: int = 20 * 1000**3
    max_connections: int = 1000
    head_timeout: float = 10.0  # from the first byte (of a new connection: from its start) to the whole head
    keep_alive: float = 75.0  # idle between two requests
    write_timeout: float = 60.0  # for one write of at most sender.PIECE bytes to get through
