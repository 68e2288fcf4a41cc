"""A study or series that several archives have in part or in copies: what is asked of whom, so that each
instance comes once. Decisions only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.resource import Level, Resource

Grain = Literal["whole", "series", "exact"]
"""What may be asked for beyond what is wanted of a source: all that it has; a series of which it is to give
at least half; nothing, as what comes cannot be told apart."""

Lists = Mapping[str, Sequence[Member] | None]
"""What each source has; None where it cannot be listed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request to one source. `members` are what it is to give, None for whatever nobody else has;
    `exact` says that it has nothing else."""

    source: str
    resource: Resource
    members: frozenset[Member] | None
    exact: bool


def preferred(lists: Lists, order: Sequence[str]) -> list[str]:
    """The sources, the best first: most instances, then the order given; those without a list come last."""

    def rank(name: str) -> tuple[bool, int, int]:
        found = lists[name]
        return found is None, -len(found or ()), order.index(name)

    return sorted(lists, key=rank)


def steps_of(resource: Resource, lists: Lists, order: Sequence[str], grain: Grain) -> list[Step]:
    """What to ask for, in the order of the answer: all of the best source, then what only others have."""
    given: set[Member] = set()
    steps: list[Step] = []
    for name in preferred(lists, order):
        members = lists[name]
        if members is None:
            steps.append(Step(name, resource, None, exact=False))
            continue
        own = [member for member in dict.fromkeys(members) if member not in given]
        given.update(own)
        steps += _of_source(name, resource, members, own, grain)
    return steps


def covered(members: Sequence[Member] | None, lists: Lists) -> bool:
    """Whether everything in a list is at other sources, too."""
    if members is None:
        return False
    return set(members) <= {member for found in lists.values() for member in found or ()}


def _of_source(
    name: str, resource: Resource, members: Sequence[Member], own: Sequence[Member], grain: Grain
) -> Iterator[Step]:
    if not own:
        return
    everything = len(own) == len(set(members))
    if everything or grain == "whole":
        yield Step(name, resource, frozenset(own), everything)
        return
    there, wanted = _by_series(members), _by_series(own)
    for series, instances in wanted.items():
        whole = len(instances) == len(there[series])
        if whole or (grain == "series" and 2 * len(instances) >= len(there[series])):
            of_series = replace(resource, level=Level.SERIES, series=series)
            yield Step(name, of_series, frozenset(instances), whole)
        else:
            for member in instances:
                one = replace(resource, level=Level.INSTANCE, series=series, instance=member[1])
                yield Step(name, one, frozenset([member]), exact=True)


def _by_series(members: Sequence[Member]) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = {}
    for member in dict.fromkeys(members):
        found.setdefault(member[0], []).append(member)
    return found
