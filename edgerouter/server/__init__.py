"""The front door: uvicorn with a guarded protocol, requests in, replies out; and the admin listener."""

from edgerouter.server.beside import admin_listener, names
from edgerouter.server.body import RequestBody
from edgerouter.server.connection import ClientGone, Connection, connection_of
from edgerouter.server.limits import Limits
from edgerouter.server.sender import Outcome, Sent, send_reply
from edgerouter.server.serve import Beside, serve
from edgerouter.server.unix import CannotListen

__all__ = [
    "Beside",
    "CannotListen",
    "ClientGone",
    "Connection",
    "Limits",
    "Outcome",
    "RequestBody",
    "Sent",
    "admin_listener",
    "connection_of",
    "names",
    "send_reply",
    "serve",
]
