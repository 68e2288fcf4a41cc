"""The conditions a rule is made of: each says of a request why it is not met, or that it is."""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.routing.attributes import is_person_name
from edgerouter.routing.facts import Facts
from edgerouter.routing.schedule import Schedule

Network = IPv4Network | IPv6Network


class Condition(Protocol):
    def unmet(self, facts: Facts) -> str | None:
        """Why the request does not meet it, for people and without the request's values; None when met."""


@dataclass(frozen=True, slots=True)
class OnTransaction:
    """WADO-URI retrieves too (PS3.18 §9): a rule on retrieve holds for it, or the door stood open there."""

    any_of: frozenset[Transaction]

    def unmet(self, facts: Facts) -> str | None:
        seen = facts.transaction
        if seen in self.any_of or (seen is Transaction.WADO_URI and Transaction.RETRIEVE in self.any_of):
            return None
        return f"the transaction is {seen}, not {_or(self.any_of)}"


@dataclass(frozen=True, slots=True)
class OnLevel:
    any_of: frozenset[Level]

    def unmet(self, facts: Facts) -> str | None:
        if facts.level in self.any_of:
            return None
        return f"the level is {facts.level or 'not given'}, not {_or(self.any_of)}"


@dataclass(frozen=True, slots=True)
class OnResource:
    """A bulkdata value has two kinds of address, of which a rule knows one word."""

    any_of: frozenset[Kind]

    def unmet(self, facts: Facts) -> str | None:
        seen = Kind.BULKDATA if facts.kind is Kind.TOKEN else facts.kind
        return None if seen in self.any_of else f"the resource is {seen}, not {_or(self.any_of)}"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A value with `*` (any run) and `?` (any one character); never slower than input times pattern."""

    text: str
    any_case: bool = False
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        regex = fnmatch.translate(self.text.replace("[", "[[]"))
        object.__setattr__(self, "_regex", re.compile(regex, re.IGNORECASE if self.any_case else 0))

    def matches(self, value: str) -> bool:
        return self._regex.match(value) is not None


@dataclass(frozen=True, slots=True)
class OnQuery:
    """Any value asked for under `attribute`, whole or as one of a list, matches any of the wildcards."""

    attribute: str
    any_of: tuple[Wildcard, ...]

    @classmethod
    def of(cls, attribute: str, values: tuple[str, ...]) -> "OnQuery":
        any_case = is_person_name(attribute)
        return cls(attribute, tuple(Wildcard(value, any_case) for value in values))

    def unmet(self, facts: Facts) -> str | None:
        values = [value for name, value in facts.query if name == self.attribute]
        if not values:
            return f"the query has no {self.attribute}"
        # Clients separate the values of a list by a comma or a backslash.
        pieces = [piece for value in values for piece in re.split(r"[,\\]", value)]
        if any(wildcard.matches(value) for wildcard in self.any_of for value in (*values, *pieces)):
            return None
        return f"the query's {self.attribute} is not {_or(wildcard.text for wildcard in self.any_of)}"


@dataclass(frozen=True, slots=True)
class OnField:
    """Any line of the header field, or all of them joined, matches any of the wildcards."""

    name: str
    any_of: tuple[Wildcard, ...]

    def unmet(self, facts: Facts) -> str | None:
        whole = facts.fields.get(self.name)
        if whole is None:
            return f"there is no header {self.name}"
        values = [whole, *facts.fields.all(self.name)]
        if any(wildcard.matches(value) for wildcard in self.any_of for value in values):
            return None
        return f"the header {self.name} is not {_or(wildcard.text for wildcard in self.any_of)}"


@dataclass(frozen=True, slots=True)
class OnDataset:
    """Any value of the instance's `attribute`, or all of them joined, matches any of the wildcards."""

    attribute: str
    any_of: tuple[Wildcard, ...]

    @classmethod
    def of(cls, attribute: str, values: tuple[str, ...]) -> "OnDataset":
        any_case = is_person_name(attribute)
        return cls(attribute, tuple(Wildcard(value, any_case) for value in values))

    def unmet(self, facts: Facts) -> str | None:
        if facts.dataset is None:
            return "no dataset is given"
        values = facts.dataset.get(self.attribute, ())
        if not any(values):
            return f"the dataset has no {self.attribute}"
        if any(wildcard.matches(value) for wildcard in self.any_of for value in (*values, "\\".join(values))):
            return None
        return f"the dataset's {self.attribute} is not {_or(wildcard.text for wildcard in self.any_of)}"


@dataclass(frozen=True, slots=True)
class OnClient:
    networks: tuple[Network, ...]

    def unmet(self, facts: Facts) -> str | None:
        client = facts.client
        if client is None:
            return "the client's address is not known"
        if isinstance(client, IPv6Address) and client.ipv4_mapped:
            client = client.ipv4_mapped
        if any(client in network for network in self.networks):
            return None
        return f"the client is not in {_or(map(str, self.networks))}"


@dataclass(frozen=True, slots=True)
class OnTime:
    schedule: Schedule

    def unmet(self, facts: Facts) -> str | None:
        return self.schedule.unmet(facts.now)


def _or(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))
