"""From the facts of a request to its route: the first rule that matches decides, and it can tell why."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgerouter.errors import Denied
from edgerouter.routing.conditions import Condition
from edgerouter.routing.facts import Facts


@dataclass(frozen=True, slots=True)
class Route:
    """The decision for one request: which upstreams may be asked; `rule` is None for the default.

    `deadline` is the seconds a search may take; `strict` makes a search fail when one source does."""

    upstreams: tuple[str, ...]
    rule: str | None = None
    deadline: float = 10.0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Denial:
    """The decision that a request is refused; `reason` is told to the client."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition (all of `conditions`; none means always) and its consequence."""

    name: str
    conditions: tuple[Condition, ...]
    consequence: Route | Denial

    def unmet(self, facts: Facts) -> str | None:
        """The first reason why the rule does not match, for people; None when it does."""
        reasons = (condition.unmet(facts) for condition in self.conditions)
        return next((reason for reason in reasons if reason is not None), None)


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
        """The route of the first rule that matches, else the default; raises Denied."""
        decision = self.decide(facts)
        if isinstance(decision, Denial):
            raise _denied(decision)
        return decision

    def decide(self, facts: Facts) -> Route | Denial:
        matching = (rule.consequence for rule in self._rules if rule.unmet(facts) is None)
        return next(matching, self._default)

    def explain(self, facts: Facts) -> tuple[Verdict, ...]:
        """The verdict of every rule, in order; the first without an unmet reason is the one that decides."""
        return tuple(Verdict(rule, rule.unmet(facts)) for rule in self._rules)


def _denied(denial: Denial) -> Denied:
    denied = Denied(denial.reason, status=denial.status)
    if denial.status == 405:
        denied.fields = (("allow", ""),)  # RFC 9110 §15.5.6 asks for Allow; empty: no method at all
    return denied
