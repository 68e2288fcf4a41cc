"""What one upstream has of a study or series, instance by instance, by a search."""

from dataclasses import replace

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.domains import alike
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.errors import Cut, ProtocolError, Received
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.upstreams import Upstream

DEADLINE = 30.0  # seconds for a list of instances


async def listed(federation: Federation, inbound: Inbound, archive: Upstream) -> tuple[Member, ...]:
    """The instances of the study or series that the request is about; () where that cannot be told.

    Raises errors.RouterError when the upstream does not answer."""
    if not archive.takes(Transaction.SEARCH):
        return ()
    asked = inbound.resource
    collection = Resource(Kind.COLLECTION, Level.INSTANCE, asked.study, asked.series)
    search = replace(inbound, method="GET", transaction=Transaction.SEARCH, resource=collection, query="")
    [source] = await federation.ask(search, alike(SearchQuery(), [archive.name]), DEADLINE)
    if isinstance(source.error, Received | ProtocolError | Cut):
        return ()  # not in this form: what is asked for will tell
    if source.error is not None:
        raise source.error
    if source.truncated or source.unusable:
        return ()
    return tuple((row.key[1], row.key[2]) for row in source.rows)
