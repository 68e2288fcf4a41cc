"""The socket of the admin listener: a Unix socket of ours, or an address."""

import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from edgerouter.config import AdminListener
from edgerouter.server.serve import listen, url_of
from edgerouter.server.unix import CannotListen, UnixListener

logger = logging.getLogger(__name__)
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def names(way: AdminListener) -> frozenset[str] | None:
    """What a caller may put into Host, without the port; None where no browser can get to."""
    if way.socket:
        return None
    return frozenset({*_LOCAL_NAMES, f"[{way.host}]" if ":" in way.host else way.host.lower()})


@contextmanager
def admin_listener(way: AdminListener | None) -> Iterator[socket.socket | None]:
    """The socket of the admin listener, if there is to be one; raises CannotListen."""
    if way is None:
        yield None
    elif way.socket:
        with closing(UnixListener(way.socket)) as unix:
            logger.info("admin listener on %s", way.socket)
            yield unix.socket
    else:
        try:
            listener = listen(way.host, way.port or 0)
        except OSError as error:
            what = f"cannot listen on {way.host} port {way.port}: {error.strerror}"
            raise CannotListen(f"{what} (server.admin)") from error
        with listener:
            logger.info("admin listener on %s", url_of(listener))
            yield listener
