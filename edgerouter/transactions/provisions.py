"""What every retrieve through the cache works with; one for the app."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from edgerouter.cache.cache import Cache
from edgerouter.cache.unit import UnitKey
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.parsing.describer import Describer
from edgerouter.transactions.fetch import Errand
from edgerouter.transactions.flying import Flying
from edgerouter.transactions.jobs import Job, Larder, member_in
from edgerouter.transactions.noted import Noted
from edgerouter.transactions.promotion import Shapes
from edgerouter.transactions.upstreams import Upstream


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

    def bringing(self, upstream: str, resource: Resource) -> Job | None:
        """A fetch of the study or series that is bringing this instance right now."""
        study, series = resource.study or "", resource.series or ""
        for name in ((upstream, study, series), (upstream, study, "")):
            job = self.wholes.get(name)
            coming = self.cache.fills.coming(job.key) if job else ()
            if job and any(member_in(fields) == (series, resource.instance) for fields in coming):
                return job
        return None
