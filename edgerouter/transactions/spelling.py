"""How one upstream wants its queries written; what a query says stays what the client said."""

import re

from edgerouter.dicomweb import query
from edgerouter.dicomweb.query import Spelling
from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.transactions.inbound import Inbound
from edgerouter.upstream.profiles import Profile, Searching
from edgerouter.upstream.profiles.wording import worded

LIMIT = 1000  # for an upstream that ignores an offset without a limit
_COMMA = re.compile("%2[Cc]")
_CONTENT_TYPE = re.compile(r"(?:\A|(?<=&))contentType=[^&]*")
_PARAMETRIC = (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME)


def spelling(ways: Searching, level: Level | None) -> Spelling:
    """The spelling of a search for resources of this level."""
    return Spelling(
        includefield="comma" if ways.includefield == "comma" else "repeat",
        separator=ways.separator or ",",
        keys=ways.named_by,
        limit_with_offset=(ways.page_limit(level) or LIMIT) if ways.offset_needs_limit else None,
        dropped=ways.slow_fields.get(level, frozenset()) if level else frozenset(),
    )


def query_for(inbound: Inbound, profile: Profile) -> str:
    """The query string of the upstream's request, encoded, without "?"; raises BadRequest."""
    if inbound.transaction is Transaction.SEARCH:
        return _search(inbound, profile)
    if inbound.transaction is Transaction.WADO_URI:
        return _wado_uri(query.clean(inbound.query), profile)
    # Accept says what the `accept` parameter said, in the upstream's own spelling.
    cleaned = query.clean(inbound.query, drop=("accept",))
    if inbound.resource.kind in _PARAMETRIC:
        # §8.3.5: commas separate the values of these parameters; encoded, they are not seen as such.
        return _COMMA.sub(",", cleaned)
    return cleaned


def _search(inbound: Inbound, profile: Profile) -> str:
    """Of a search that is passed on, the archive's answer is the answer: there is one part only."""
    ways, level = profile.search, inbound.resource.level
    asked = worded(ways, query.parse(inbound.query), inbound.resource).parts[0]
    most = ways.page_limit(level)
    if most is not None and asked.limit is not None:
        # §8.3.4.4.1: the origin's own maximum bounds a page just as well.
        asked = asked.page(min(asked.limit, most), asked.offset)
    return query.emit(asked, spelling(ways, level))


def _wado_uri(cleaned: str, profile: Profile) -> str:
    if not profile.plain_content_type:
        return cleaned
    return _CONTENT_TYPE.sub(lambda match: _plain(match[0]), cleaned)


def _plain(parameter: str) -> str:
    for encoded, character in (("%2[Ff]", "/"), ("%2[Cc]", ",")):
        parameter = re.sub(encoded, character, parameter)
    return parameter
