"""How one upstream wants its search queries written: its profile, as the query writer understands it."""

from edgerouter.dicomweb.query import Spelling
from edgerouter.dicomweb.resource import Level
from edgerouter.upstream.profile import Profile

LIMIT = 1000  # for an upstream that ignores an offset without a limit


def spelling(profile: Profile, level: Level | None) -> Spelling:
    """The spelling of a search for resources of this level."""
    return Spelling(
        includefield="repeat" if profile.repeats_includefield else "comma",
        separator=profile.value_separator,
        limit_with_offset=(profile.limit_max or LIMIT) if profile.offset_needs_limit else None,
        dropped=profile.slow_fields.get(level, frozenset()) if level else frozenset(),
    )
