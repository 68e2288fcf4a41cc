"""Rule tests: each request of a rule file put to the router, without asking any upstream."""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from edgerouter.config.config import Config, Located
from edgerouter.config.problems import Problem
from edgerouter.config.rule_tests import Expect, RuleTest
from edgerouter.config.rules import DEFAULT
from edgerouter.config.values import A_MONDAY
from edgerouter.dicomweb import query
from edgerouter.errors import RequestError
from edgerouter.http.fields import Fields
from edgerouter.routing.facts import Facts
from edgerouter.routing.guard import Guard
from edgerouter.routing.router import Denial, Route, Router

A_MONDAY_NOON = A_MONDAY + timedelta(hours=12)


def rehearse(config: Config) -> tuple[Problem, ...]:
    """One problem for each rule test whose outcome is not the one expected."""
    router = config.router()
    failed = (_failed(located, router, config.server.time_zone) for located in config.tests)
    return tuple(problem for problem in failed if problem)


def at_site(when: datetime, zone: tzinfo | None) -> datetime:
    """A naive time as the site's, the system's own where `zone` is None; an aware one as it is."""
    if when.tzinfo is not None:
        return when
    return when.replace(tzinfo=zone) if zone else when.astimezone()


def facts_of(test: RuleTest, zone: tzinfo | None) -> Facts:
    now = at_site(test.at or A_MONDAY_NOON, zone)
    fields = Fields(test.header.items())
    return test.request.facts(now=now, fields=fields, client=test.client, dataset=test.dataset)


def _failed(located: Located, router: Router, zone: tzinfo | None) -> Problem | None:
    facts = facts_of(located.test, zone)
    verdicts = router.explain(facts)
    rule = next((verdict.rule.name for verdict in verdicts if verdict.unmet is None), DEFAULT)
    expect = located.test.expect
    decision = router.decide(facts)
    differences = [*_differences(expect, rule, decision), *_guarded(located.test, decision)]
    if not differences:
        return None
    reasons = [f"{v.rule.name}: {v.unmet}" for v in verdicts if v.rule.name == expect.rule and v.unmet]
    place = f"tests[{located.number}]"
    return Problem(located.file, located.line, place, ", ".join(differences), "; ".join(reasons))


def _differences(expect: Expect, rule: str, decision: Route | Denial) -> Iterator[str]:
    if expect.rule and expect.rule != rule:
        yield f"expected rule {expect.rule}, got {rule}"
    denied = decision.status if isinstance(decision, Denial) else None
    if expect.denied and expect.denied != denied:
        yield f"expected a denial with {expect.denied}, got {denied or 'a route'}"
    upstreams = decision.upstreams if isinstance(decision, Route) else ()
    if expect.upstreams and expect.upstreams != upstreams:
        yield f"expected upstreams {', '.join(expect.upstreams)}, got {', '.join(upstreams) or 'a denial'}"


def _guarded(test: RuleTest, decision: Route | Denial) -> Iterator[str]:
    """How the guards' part differs: whether they refuse, or with which keys the search goes on."""
    expect = test.expect
    if not (expect.refused or expect.query):
        return
    refused, keys = None, dict[str, str]()
    guard = decision.guard if isinstance(decision, Route) else None
    try:
        asked = query.parse(test.request.query)
        passed = (guard or Guard()).let_through(asked, test.request.resource, A_MONDAY.date())
        keys = {match.attribute.keyword: ",".join(match.values) for match in passed.asked.matches}
        for gate in passed.gates:
            keys |= {match.attribute.keyword: ",".join(match.values) for match in gate.asked.matches}
    except RequestError as error:
        refused = error.status
    if expect.refused != refused:
        yield f"expected {_refusal(expect.refused)}, got {_refusal(refused)}"
    for name, value in expect.query.items() if not refused else ():
        if keys.get(name) != value:
            yield f"expected {name} to be searched by {value}, got {keys.get(name, 'nothing')}"


def _refusal(status: int | None) -> str:
    return f"a refusal with {status}" if status else "no refusal"
