"""What every retrieve through the cache works with; one for the app."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from edgerouter.cache.cache import Cache
from edgerouter.cache.listings import Member
from edgerouter.cache.unit import UnitKey
from edgerouter.dicomweb.media import Wish, part_type
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.flying import Flying
from edgerouter.transactions.jobs import Job, Larder, member_in
from edgerouter.transactions.keeping import fitting
from edgerouter.transactions.noted import Noted
from edgerouter.transactions.promotion import Shapes
from edgerouter.transactions.read_ahead import ReadAhead
from edgerouter.transactions.upstreams import Upstream

NEAR = 3  # instances behind the one that is arriving for which a fetch of more is waited for
_LAST = 12  # parts looked at: those before are units by now
_IN_ORDER = 3  # of them, which have to come as the listing has them

# As what an instance of a transfer syntax answers: media type and transfer syntax.
FormOf = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Provisions:
    """The cache, the upstreams by name, and what is under way and was learnt.

    `wholes` are the fetches of whole studies and series, by upstream, study and series ("" for all), `crcs`
    the CRC-32s of units kept at a time, `unsayable` studies with a row that cannot be written as XML, and
    `as_stored` upstreams whose URI service answers in any transfer syntax."""

    larder: Larder
    archives: Mapping[str, Upstream]
    box: TokenBox
    flying: Flying
    ahead: ReadAhead
    describer: Describer
    unsayable: Noted[tuple[str, str], bool] = field(default_factory=Noted)
    crcs: Noted[tuple[UnitKey, float], int] = field(default_factory=lambda: Noted(100_000))
    as_stored: set[str] = field(default_factory=set)
    shapes: Shapes = field(default_factory=Shapes)
    wholes: WeakValueDictionary[tuple[str, str, str], Job] = field(default_factory=WeakValueDictionary)

    @property
    def cache(self) -> Cache:
        return self.larder.cache

    def begins(self, errand: Errand, job: Job) -> None:
        """A fetch of a study or series may begin, unless one is under way."""
        resource = errand.resource
        name = (errand.archive.name, resource.study or "", resource.series or "")
        before = self.wholes.get(name)
        if before is None or not self.cache.fills.is_under_way(before.key):
            self.wholes[name] = job

    async def bringing(
        self, upstream: str, resource: Resource, wanted: Sequence[Wish], form_of: FormOf, *, near: bool = True
    ) -> Job | None:
        """A fetch of the study or series that brings this instance, in a form that is wished, sooner than a
        fetch of its own would: it is arriving or, with `near`, as far as can be foreseen one of the next few.
        """
        study, member = resource.study or "", (resource.series or "", resource.instance or "")
        for series in (member[0], ""):
            job = self.wholes.get((upstream, study, series))
            newest = self.cache.fills.newest(job.key, _LAST) if job else []
            if job is None or not newest:
                continue
            members = [member_in(fields) for fields in newest]
            like = newest[members.index(member) if member in members else -1]
            _, syntax = part_type(like.get("content-type"))
            if syntax is None:
                continue
            form = form_of(syntax)
            if fitting(wanted, [form], [form] if job.makes(syntax) else ()) is None:
                continue
            if member in members:
                return job
            if near and await self._is_near(upstream, study, series, member, members):
                return job
        return None

    async def _is_near(
        self, upstream: str, study: str, series: str, member: Member, arrived: Sequence[Member | None]
    ) -> bool:
        """Whether the member is due soon, if the archive goes on in the order of the listing, as so far."""
        listing = await self.cache.catalog.listing(upstream, study, series)
        members = listing.members if listing else ()
        if member not in members or arrived[-1] not in members:
            return False
        at, last = members.index(member), members.index(arrived[-1])
        before = tuple(arrived[-_IN_ORDER:])
        in_order = members[max(0, last + 1 - len(before)) : last + 1] == before
        return in_order and 0 < at - last <= NEAR
