"""What one upstream is asked for one client request: assembled from parsed parts, in its own spelling."""

from collections.abc import Sequence

from edgerouter.dicomweb import query
from edgerouter.dicomweb.accept import any_syntax, wishes
from edgerouter.dicomweb.media import Wish
from edgerouter.dicomweb.resource import Kind, Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.dicomweb.wado_uri import read_wado_uri
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.passage import request_fields
from edgerouter.transactions.spelling import query_for
from edgerouter.upstream.profiles import spell_accept
from edgerouter.upstream.seam import Archive, Outbound

_WITH_SYNTAX = (Kind.DICOM, Kind.FRAMES, Kind.PIXELDATA)


def wishes_of(inbound: Inbound) -> tuple[Wish, ...]:
    """What the client accepts, best first; raises NotAcceptable or BadRequest without asking anyone."""
    wanted = wishes(inbound.resource, inbound.transaction, inbound.fields.all("accept"), _explicit(inbound))
    if inbound.any_syntax and inbound.resource.kind in _WITH_SYNTAX:
        wanted = any_syntax(wanted)
    alone = tuple(wish for wish in wanted if not wish.multipart)
    # Only of a value that comes alone can there be a range.
    return alone if alone and inbound.ranged else wanted


def _explicit(inbound: Inbound) -> str | None:
    """What the query itself says of the representation."""
    if inbound.transaction is Transaction.WADO_URI:
        return ", ".join(read_wado_uri(inbound.query).content_types)
    return query.parameter(inbound.query, "accept")


def outbound_for(inbound: Inbound, archive: Archive, wanted: Sequence[Wish], box: TokenBox) -> Outbound:
    """The upstream's request for a Search or a Retrieve (law 9); raises BadRequest or NotFound.

    HEAD is asked as GET, whose body is then dropped: few archives have HEAD, and some answer it wrongly."""
    resource = inbound.resource
    if resource.kind is Kind.TOKEN:
        path, parameters = box.target(resource.tail, archive.name)
    else:
        path = "" if inbound.transaction is Transaction.WADO_URI else resource.path
        parameters = query_for(inbound, archive.profile)
    accept = spell_accept(archive.profile, resource.kind, resource.level, wanted)
    # JSON and XML shrink forty-fold; pixels do not, and are never gzipped.
    coded = resource.kind in (Kind.COLLECTION, Kind.METADATA)
    fields = request_fields(inbound, accept, coded=coded)
    return Outbound("GET", inbound.transaction, path, parameters, fields)
