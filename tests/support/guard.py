"""Nothing in the suite leaves the loopback, and nothing is unpickled: audit hooks that refuse and remember.

Installed in the test process by conftest.py, and in the router's own process through
`guarded/sitecustomize.py`, where a refusal also leaves a line that starts with `guard:` in its log.
"""

import socket
import sys
from ipaddress import ip_address

refusals: list[str] = []
_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


class Refused(RuntimeError):
    """Something tried what no test may do."""


def install() -> None:
    """Watch this process from now on; there is no way back."""
    sys.addaudithook(_watch)


def is_local(host: object) -> bool:
    """Whether a host is this machine: a loopback or unspecified address, or its name."""
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        address = ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        address = args[1]
        # A path is a Unix socket; None is a datagram on a connected socket.
        if isinstance(address, tuple) and not is_local(address[0]):
            _refuse(f"{event} to {address[0]}")
    elif event == "socket.getaddrinfo":
        _resolve(args[0])
    elif event == "pickle.find_class" and not _between_processes():
        _refuse(f"unpickling of {args[0]}.{args[1]}")


def _between_processes() -> bool:
    """Whether it is our own worker processes that talk: tests show that what they say survives the way."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").startswith("multiprocessing."):
            return True
        frame = frame.f_back
    return False


def _resolve(host: object) -> None:
    if is_local(host):
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.endswith((".invalid", ".test")):  # RFC 6761: names that tests of failed look-ups may use
        raise socket.gaierror(socket.EAI_NONAME, "no such host")
    try:
        ip_address(name)  # an address is not looked up anywhere; connecting to it is another matter
    except ValueError:
        _refuse(f"look-up of {name}")


def _refuse(what: str) -> None:
    refusals.append(what)
    print(f"guard: refused {what}", file=sys.stderr, flush=True)
    raise Refused(what)
