"""From the facts of a request to its route: the first rule that matches decides, and it can tell why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from edgerouter.dicomweb.domains import BareIds
from edgerouter.dicomweb.united import Counts
from edgerouter.errors import Denied
from edgerouter.routing.conditions import Condition, OnDataset
from edgerouter.routing.facts import Dataset, Facts
from edgerouter.routing.guard import Guard


@dataclass(frozen=True, slots=True)
class Route:
    """The decision for one request: which upstreams may be asked; `rule` is None for the default.

    `deadline` is the seconds a search may take; `strict` makes a search fail when one source does; `guard` is
    what a search must be like. `counts` and `apart` say what becomes of counts, and of several patients under
    one UID, when rows are merged; `bare_ids` what a PatientID without an issuer means, None for what is
    configured for all.

    `promote`: a missing frame may bring its instance; `read_ahead` is how many frames more it brings.
    `max_stale` is for how many seconds beyond its lifetime what is held is served when its upstream does not
    answer. `any_syntax`: a client that names no transfer syntax takes any.

    With `sorting` each instance of an upload has a decision of its own, and `upstreams` are all that any of
    them may go to."""

    upstreams: tuple[str, ...]
    rule: str | None = None
    deadline: float = 10.0
    strict: bool = False
    promote: bool = True
    read_ahead: int = 0
    max_stale: float = 7 * 86400.0
    any_syntax: bool = False
    sorting: "Sorting | None" = None
    counts: Counts = "max"
    apart: bool = False
    bare_ids: BareIds | None = None
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """The decision that a request is refused; `reason` is told to the client."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition (all of `conditions` and `dataset`; none means always) and its consequence."""

    name: str
    conditions: tuple[Condition, ...]
    consequence: Route | Denial
    dataset: tuple[OnDataset, ...] = ()

    def unmet(self, facts: Facts) -> str | None:
        """The first reason why the rule does not match, for people; None when it does."""
        return _first_unmet((*self.conditions, *self.dataset), facts)

    def may_match(self, facts: Facts) -> bool:
        """Whether it matches as far as can be said without a dataset."""
        return _first_unmet(self.conditions, facts) is None


@dataclass(frozen=True, slots=True)
class Sorting:
    """What is open about an upload until its instances are here: which of `rules` matches each first, else
    `otherwise`. Everything else about the request, its time too, is settled in `facts`."""

    facts: Facts
    rules: tuple[Rule, ...]
    otherwise: Route | Denial

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that decide."""
        return frozenset(condition.attribute for rule in self.rules for condition in rule.dataset)

    @property
    def upstreams(self) -> tuple[str, ...]:
        """All that any instance may go to, each once."""
        outcomes = (*(rule.consequence for rule in self.rules), self.otherwise)
        routes = (outcome for outcome in outcomes if isinstance(outcome, Route))
        return tuple(dict.fromkeys(name for route in routes for name in route.upstreams))

    def decide(self, dataset: Dataset) -> Route | Denial:
        """The decision for one instance."""
        facts = replace(self.facts, dataset=dataset)
        matching = (rule.consequence for rule in self.rules if _first_unmet(rule.dataset, facts) is None)
        return next(matching, self.otherwise)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of one request: `unmet` is the first reason it does not match, None if it does."""

    rule: Rule
    unmet: str | None


class Router:
    """The rules in their order over the configured upstreams; swapped whole, never changed."""

    def __init__(self, rules: Sequence[Rule], upstreams: Sequence[str]) -> None:
        self._rules = tuple(rules)
        self._default = Route(tuple(upstreams))

    def route(self, facts: Facts) -> Route:
        """The route of the first rule that matches, else the default; raises Denied.

        Where rules in front of that one look at the dataset, the route has a sorting, and nobody is
        denied before the instances are here."""
        sorting = self.sorting(facts)
        if sorting.rules:
            return Route(sorting.upstreams, sorting=sorting)
        if isinstance(sorting.otherwise, Denial):
            raise _denied(sorting.otherwise)
        return sorting.otherwise

    def decide(self, facts: Facts) -> Route | Denial:
        """The decision for exactly these facts, a missing dataset being one."""
        matching = (rule.consequence for rule in self._rules if rule.unmet(facts) is None)
        return next(matching, self._default)

    def explain(self, facts: Facts) -> tuple[Verdict, ...]:
        """The verdict of every rule, in order; the first without an unmet reason is the one that decides."""
        return tuple(Verdict(rule, rule.unmet(facts)) for rule in self._rules)

    def sorting(self, facts: Facts) -> Sorting:
        """What the instances of the request, if it has any, will decide; without rules nothing is open."""
        possible = [rule for rule in self._rules if rule.may_match(facts)]
        undecided = tuple(takewhile(lambda rule: rule.dataset, possible))
        settled = possible[len(undecided) :]
        return Sorting(facts, undecided, settled[0].consequence if settled else self._default)


def _first_unmet(conditions: Sequence[Condition], facts: Facts) -> str | None:
    reasons: Iterator[str | None] = (condition.unmet(facts) for condition in conditions)
    return next((reason for reason in reasons if reason is not None), None)


def _denied(denial: Denial) -> Denied:
    denied = Denied(denial.reason, status=denial.status)
    if denial.status == 405:
        denied.fields = (("allow", ""),)  # RFC 9110 §15.5.6 asks for Allow; empty: no method at all
    return denied
