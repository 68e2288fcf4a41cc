"""Rule files: what a person may write in a rule, compiled for the router."""

from datetime import tzinfo
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator
from pydantic.types import StringConstraints

from edgerouter.config.guards import Guards
from edgerouter.config.match import AnyOf, Match
from edgerouter.config.problems import Mistake
from edgerouter.config.rule_tests import RuleTest, Status
from edgerouter.config.section import Section, UpstreamRef, written
from edgerouter.config.values import Duration, DurationOrNone, FrameCount, Name, YesNo
from edgerouter.dicomweb.domains import BareIds
from edgerouter.dicomweb.united import Counts
from edgerouter.routing.router import Denial, Route, Rule

DEFAULT = "default"  # what a rule test calls the outcome when no rule matched


class RouteTo(Guards):
    """Where a matching request goes, and what its searches must be like."""

    later = frozenset({"store"})

    upstreams: AnyOf[UpstreamRef]
    """The upstreams that may be asked, the preferred one first."""
    deadline: Duration = written("10s")
    """Search: the time every upstream has to answer."""
    partial: Literal["warn", "fail"] = "warn"
    """Search, retrieve: whether an upstream without an answer is named in a warning, or fails the request."""
    promote: YesNo = True
    """Retrieve: whether a missing frame of a single-frame instance brings the whole instance."""
    read_ahead: FrameCount = 0
    """Retrieve: how many of the frames that follow a missing one are fetched with it."""
    max_stale: DurationOrNone = written("7d")
    """Retrieve: how long beyond its lifetime what is held is served while its upstream does not answer."""
    default_syntax: Literal["explicit", "any"] = "explicit"
    """Retrieve: what a client means that names no transfer syntax: Explicit VR Little Endian, or any."""

    counts: Counts = "max"
    """Search: what NumberOf… of a study or series at several upstreams is: the largest that one of them says;
    `exact`, by listing its instances; or `sum`, for upstreams that never hold the same instance."""
    patients: Literal["flag", "apart"] = "flag"
    """Search: whether a study that is another patient's at another upstream is one row, the better holder's,
    and a line in the log, or a row for each patient."""
    bare_ids: BareIds | None = None
    """Search: what a PatientID without IssuerOfPatientID means; without it, what `patients` says."""

    def compile(self, rule: str) -> Route:
        return Route(
            self.upstreams,
            rule,
            self.deadline,
            self.partial == "fail",
            counts=self.counts,
            apart=self.patients == "apart",
            bare_ids=self.bare_ids,
            promote=self.promote,
            read_ahead=self.read_ahead,
            max_stale=self.max_stale,
            any_syntax=self.default_syntax == "any",
            guard=self.guard(),
        )


class Deny(Section):
    """How a matching request is refused."""

    status: Status = 403
    reason: Annotated[str, StringConstraints(pattern=r"^[^\n\t]{1,200}$")] = "Refused by a rule."
    """Told to the client."""


class RuleConfig(Section):
    """One rule; `match: {}` matches every request."""

    name: Name
    match: Match
    route: RouteTo | None = None
    deny: Deny | None = None

    @model_validator(mode="after")
    def _one_consequence(self) -> Self:
        if self.name == DEFAULT:
            raise Mistake(f"{DEFAULT} is what no rule at all is called", "choose another name")
        if (self.route is None) is (self.deny is None):
            raise Mistake("needs exactly one of route and deny", "keep one consequence")
        if self.route and self.route.guards:
            if self.match.transaction != ("search",):
                # Elsewhere such a route would let everything through: a guard that is none.
                what = f"route.{self.route.guards[0]} is of searches only"
                raise Mistake(what, "write transaction: search in its match")
            if why := self.route.misplaced(self.match.level):
                raise Mistake(f"route: {why}", "say by match.level what is searched")
        return self

    def compile(self, zone: tzinfo | None) -> Rule:
        """The rule as the router knows it, its times in `zone`."""
        consequence: Route | Denial
        if self.deny:
            consequence = Denial(self.deny.status, self.deny.reason)
        else:
            consequence = self.route.compile(self.name) if self.route else Route((), self.name)
        return Rule(self.name, self.match.conditions(zone), consequence, self.match.of_the_dataset())


class RuleFile(Section):
    """A file of rules in their order, with tests."""

    rules: tuple[RuleConfig, ...]
    tests: tuple[RuleTest, ...] = ()


def rules_in(data: Any) -> list[Any]:
    """The rules of a rule file that may be wrong otherwise, before validation."""
    rules = data.get("rules") if isinstance(data, dict) else None
    return rules if isinstance(rules, list) else []


def names(data: Any) -> list[str | None]:
    """The names of these rules, None where a rule has none."""
    found = [rule.get("name") if isinstance(rule, dict) else None for rule in rules_in(data)]
    return [name if isinstance(name, str) else None for name in found]
