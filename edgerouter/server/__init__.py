"""The front door: uvicorn with a guarded protocol, requests in, replies out."""

from edgerouter.server.body import RequestBody
from edgerouter.server.connection import ClientGone, Connection, connection_of
from edgerouter.server.limits import Limits
from edgerouter.server.sender import Outcome, Sent, send_reply
from edgerouter.server.serve import serve

__all__ = [
    "ClientGone",
    "Connection",
    "Limits",
    "Outcome",
    "RequestBody",
    "Sent",
    "connection_of",
    "send_reply",
    "serve",
]
