"""Pure ASGI middleware: what every request passes before it is routed, and every answer on its way out."""

from edgerouter.middleware.access_log import Access, Observer
from edgerouter.middleware.stack import Settings, wrap

__all__ = ["Access", "Observer", "Settings", "wrap"]
