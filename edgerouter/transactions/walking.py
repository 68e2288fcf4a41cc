"""Searches of series and instances where an archive has to be told the study and the series they are in
(PS3.18 §10.6.1, relational queries): from the studies that match down, collection by collection."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any

from edgerouter.dicomweb.levels import has, level_of
from edgerouter.dicomweb.query import SearchQuery
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row, written
from edgerouter.errors import RouterError

MAX_COLLECTIONS = 500  # asked for one search: beyond, it is said that there may be more
AT_ONCE = 4

# What speaks of the row it stands in, not of the study or series: it is not handed down.
_OWN = frozenset({"00081190", "00080056", "00080054"})


def above(resource: Resource) -> Resource:
    """The collection whose members the collections of `resource` lie in."""
    if resource.level is Level.INSTANCE:
        return Resource(Kind.COLLECTION, Level.SERIES, resource.study)
    return Resource(Kind.COLLECTION, Level.STUDY)


def within(resource: Resource, parent: Row) -> Resource:
    """The collection of that level in one study or series."""
    series = parent.key[1] if len(parent.key) > 1 else None
    return Resource(Kind.COLLECTION, resource.level, parent.key[0], series)


def upper(asked: SearchQuery, parents: Resource) -> SearchQuery:
    """What of a search is for the level of `parents` and those above."""
    level = parents.level or Level.STUDY
    return _part(asked, {path for path in _paths(asked) if has(level, path[0])})


def lower(asked: SearchQuery, resource: Resource) -> SearchQuery:
    """What of a search is for the level of `resource` itself."""
    return _part(asked, {path for path in _paths(asked) if level_of(path[0]) is resource.level})


def joined(child: Row, parent: Row, resource: Resource) -> Row:
    """A row with the attributes of the study or series it is in, as a relational search returns them
    (PS3.18 §10.6.3.3); raises RowError."""
    handed = {tag: value for tag, value in parent.tags.items() if tag not in _OWN}
    return read(written(handed | child.tags), resource, child.source)


async def together(work: Iterable[Coroutine[Any, Any, list[Row]]]) -> list[list[Row]]:
    """The outcomes of all, or the first error, and then nothing is left under way."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one, name="search below") for one in work]
    except ExceptionGroup as failed:
        error = next((one for one in failed.exceptions if isinstance(one, RouterError)), failed)
        raise error from None
    return [task.result() for task in tasks]


def _paths(asked: SearchQuery) -> Iterable[tuple[str, ...]]:
    yield from (match.attribute.path for match in asked.matches)
    yield from (field.path for field in asked.includefield)


def _part(asked: SearchQuery, paths: set[tuple[str, ...]]) -> SearchQuery:
    return replace(
        asked.page(None, None),
        matches=tuple(match for match in asked.matches if match.attribute.path in paths),
        includefield=tuple(field for field in asked.includefield if field.path in paths),
    )
