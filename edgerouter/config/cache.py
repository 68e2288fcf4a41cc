"""The `cache` section: where what passed is kept, and how much of it."""

from edgerouter.config.section import FilePath, Section, written
from edgerouter.config.values import SizeOrNone


class CacheConfig(Section):
    """The cache on local disk; one process owns its folder."""

    path: FilePath = written("var/cache")
    """The folder, relative to this file."""
    size: SizeOrNone = written("20 GB")
    """What it may hold, part files included; 0 B keeps nothing and passes everything through."""
    min_free: SizeOrNone = written("2 GB")
    """What it leaves free on its disk."""
