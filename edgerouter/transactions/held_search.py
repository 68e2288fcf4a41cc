"""Search of what is held of an upstream that does not answer: studies, series and instances of which there
are units, found by their metadata with the same matching as anywhere (PS3.4 §C.2.2.2)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgerouter.cache.cache import Cache
from edgerouter.cache.inventory import Item
from edgerouter.dicomweb.kept_keys import KeptKeys
from edgerouter.dicomweb.levels import has
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Level, Resource
from edgerouter.dicomweb.result_plan import (
    AVAILABILITY,
    MODALITIES,
    Plan,
    plan,
    shown,
)
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.row_test import RowTest, row_test
from edgerouter.dicomweb.rows import (
    ISSUER,
    PATIENT_ID,
    SERIES_INSTANCES,
    STUDY,
    STUDY_INSTANCES,
    STUDY_SERIES,
    Row,
    RowError,
    Tags,
    add_issuer,
    said,
    tags_of,
    text,
)
from edgerouter.transactions.speakers import Speakers

MOST = 20_000  # rows of one upstream
_HANDFUL = 50  # studies, or instances, looked at between two looks at what else there is to do
_MODALITY = "00080060"


class HeldSearch:
    """Searches the cache; `issuers` are the assigning authorities of the upstreams' patient IDs, and
    `speakers` makes metadata of instances that are held without any."""

    def __init__(self, cache: Cache, issuers: Mapping[str, str], speakers: Speakers) -> None:
        self._cache = cache
        self._issuers = issuers
        self._speakers = speakers

    async def rows(
        self, upstream: str, resource: Resource, asked: SearchQuery, demanded: Sequence[Match], until: float
    ) -> list[Row]:
        """What is held of the upstream and matches, as far as there is time: `until` is one of the event
        loop. Raises BadRequest for a key that is no value of its VR."""
        planned = _planned(resource, asked, demanded)
        test = row_test(
            [match for match in asked.matches if has(planned.level, match.attribute.path[0])], asked
        )
        keys = KeptKeys(demanded, demanded=True)
        found: list[Row] = []
        clock = asyncio.get_running_loop().time
        studies = await self._studies(upstream, resource, asked)
        for start in range(0, len(studies), _HANDFUL):
            for item in await self._items(upstream, studies[start : start + _HANDFUL], planned.level):
                for raw in await self._found(upstream, item, resource, planned, test):
                    row = self._read(raw, resource, upstream)
                    if row is not None and keys(row):
                        found.append(row)
                if clock() > until or len(found) >= MOST:
                    return found[:MOST]
        return found

    async def _studies(self, upstream: str, resource: Resource, asked: SearchQuery) -> list[str]:
        """Those that may match, by their UIDs."""
        named = asked.match(STUDY)
        held = await self._cache.catalog.inventory(upstream)
        if resource.study is not None:
            return [study for study in held if study == resource.study]
        exact = named is not None and all(value.strip('*"') for value in named.values)
        return [study for study in held if not exact or (named and study in named.values)]

    async def _items(self, upstream: str, studies: Sequence[str], level: Level) -> list[Item]:
        items = await self._cache.catalog.held_whole(upstream, studies)
        return [
            await self._speakers.described(upstream, item, every=level is Level.INSTANCE) for item in items
        ]

    async def _found(
        self, upstream: str, item: Item, resource: Resource, planned: Plan, test: RowTest | None
    ) -> list[bytes]:
        """The rows of a study's level, as they are to leave."""
        rows = []
        for tags in await self._of_level(upstream, item, resource, planned.level):
            add_issuer(tags, self._issuers.get(upstream, ""))
            if test is None or test.passes(tags):
                rows.append(shown(planned, tags))
        return rows

    async def _of_level(self, upstream: str, item: Item, resource: Resource, level: Level) -> list[Tags]:
        speakers = [(row.series, tags) for row in item.described if (tags := _tags(row.data)) is not None]
        if not speakers:
            return []
        of_study = _counted(item, speakers)
        if level is Level.STUDY:
            return [speakers[0][1] | of_study]
        series = [pair for pair in speakers if resource.series in (None, pair[0])]
        if level is Level.SERIES:
            return [tags | of_study | _of_series(item, uid) for uid, tags in series]
        wanted = [member for member in item.members if resource.series in (None, member[0])]
        rows: list[Tags] = []
        for start in range(0, len(wanted), _HANDFUL):
            some = await self._cache.catalog.held_described(
                upstream, item.study, wanted[start : start + _HANDFUL]
            )
            rows += (tags | of_study for row in some if (tags := _tags(row.data)) is not None)
        return rows

    def _read(self, raw: bytes, resource: Resource, upstream: str) -> Row | None:
        try:
            return read(raw, resource, upstream, self._issuers.get(upstream, ""))
        except RowError:
            return None


def _planned(resource: Resource, asked: SearchQuery, demanded: Sequence[Match]) -> Plan:
    """With whose it is, and with what a rule has to see."""
    planned = plan(resource, asked)
    more = {match.attribute.path[0] for match in demanded}
    if resource.study is None:
        more |= {PATIENT_ID, ISSUER}
    return replace(planned, tags=planned.tags | more)


def _counted(item: Item, speakers: Sequence[tuple[str, Tags]]) -> Tags:
    """What is known of the study as a whole."""
    modalities = dict.fromkeys(found for _, tags in speakers if (found := text(tags.get(_MODALITY))))
    return {
        AVAILABILITY: said("CS", "ONLINE"),
        MODALITIES: said("CS", *modalities),
        STUDY_SERIES: said("IS", len({series for series, _ in item.members})),
        STUDY_INSTANCES: said("IS", len(item.members)),
    }


def _of_series(item: Item, series: str) -> Tags:
    return {SERIES_INSTANCES: said("IS", sum(member[0] == series for member in item.members))}


def _tags(data: bytes) -> Tags | None:
    try:
        return tags_of(data)
    except RowError:
        return None
