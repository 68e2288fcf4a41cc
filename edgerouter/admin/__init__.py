"""What operators and their tools read, outside the DICOMweb root: health, metrics and the status page.

What is read names no patient, and is told by callables what it shows; what changes anything is for the admin
listener alone."""

from edgerouter.admin.exposition import Exposition
from edgerouter.admin.figures import CacheStatus, ReadCache, Traffic, UpstreamStatus, no_cache
from edgerouter.admin.guard import AdminGuard
from edgerouter.admin.health import Check, Readiness, cache_check
from edgerouter.admin.operations import CacheOperations
from edgerouter.admin.pages import pages
from edgerouter.admin.recent import Recent, is_own_page
from edgerouter.admin.status import Status

__all__ = [
    "AdminGuard",
    "CacheOperations",
    "CacheStatus",
    "Check",
    "Exposition",
    "ReadCache",
    "Readiness",
    "Recent",
    "Status",
    "Traffic",
    "UpstreamStatus",
    "cache_check",
    "is_own_page",
    "no_cache",
    "pages",
]
