"""edgerouter explain: for one request, which rule decides and why the others do not. Asks no upstream."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgerouter.cli.common import GOOD, REFUSED, add_config, load_or_report
from edgerouter.config import Config
from edgerouter.config.attributes import dataset_attribute
from edgerouter.config.problems import Mistake
from edgerouter.config.rehearsal import at_site
from edgerouter.config.values import moment
from edgerouter.dicomweb import query
from edgerouter.dicomweb.query import Spelling
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import RequestError
from edgerouter.http.fields import Fields
from edgerouter.routing.facts import Asked, Facts, asked
from edgerouter.routing.router import Denial, Route, Router, Verdict

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers

_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser(
        "explain", help="say what becomes of a request, and why; 1 when it is refused"
    )
    add_config(parser)
    parser.add_argument("method", metavar="METHOD", type=str.upper)
    parser.add_argument("url", metavar="URL", help="whole, or a path with or without the base path")
    parser.add_argument("--client", metavar="IP", type=ip_address, help="the client's address")
    parser.add_argument("--header", metavar="'A: b'", action="append", type=_field, default=[])
    parser.add_argument(
        "--dataset",
        metavar="KEYWORD=VALUE",
        action="append",
        type=_element,
        help="an attribute of one instance of an upload",
    )
    parser.add_argument("--at", metavar="TIME", type=_moment, help="22:30, 'sat 22:30' or '2025-11-22 22:30'")
    parser.set_defaults(run=partial(run, parser))


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    config = load_or_report(arguments.config, sys.stderr)
    if config is None:
        return REFUSED
    try:
        request = asked(arguments.method, _below_root(arguments.url, config))
    except RequestError as error:
        print(f"refused before any rule: {error.status} {error.detail}")
        return REFUSED
    if arguments.dataset and request.transaction is not Transaction.STORE:
        parser.error("--dataset is of uploads only: POST /studies")
    facts = request.facts(
        now=_now(arguments.at, config.server.time_zone),
        fields=Fields(arguments.header),
        client=arguments.client,
        dataset=dict(arguments.dataset) if arguments.dataset else None,
    )
    router = config.router()
    decision = router.decide(facts)
    told = _decided(decision, facts.transaction)
    refused, guarded = _guarded(decision, request)
    print("\n".join([_seen(facts), *_told(router.explain(facts)), told, *guarded, *_open(router, facts)]))
    return REFUSED if refused or isinstance(decision, Denial) else GOOD


def _guarded(decision: Route | Denial, request: Asked) -> tuple[bool, list[str]]:
    """Whether the guards of the rule refuse the search, and what they make of it."""
    guard = decision.guard if isinstance(decision, Route) else None
    if guard is None or request.transaction is not Transaction.SEARCH:
        return False, []
    try:
        passed = guard.let_through(query.parse(request.query), request.resource)
    except RequestError as error:
        return True, [f"refused: {error.status} {error.detail}"]
    lines = [f"searched as: {query.emit(passed.asked, Spelling()) or 'it is'}"]
    for gate in passed.gates:
        lines.append(f"only if the {gate.resource.level} matches: {query.emit(gate.asked, Spelling())}")
    if guard.max_results is not None:
        more = "refused with 413" if guard.refuse else "cut off"
        lines.append(f"at most {guard.max_results} results, more are {more}")
    return False, lines


def _open(router: Router, facts: Facts) -> Iterator[str]:
    """A hint where all this holds only for an instance without the attributes that decide."""
    sorting = router.sorting(facts)
    if sorting.rules and facts.dataset is None:
        names = ", ".join(sorted(sorting.attributes))
        yield f"each instance is decided by its {names}: give it with --dataset KEYWORD=VALUE"


def _seen(facts: Facts) -> str:
    level = f", level {facts.level}" if facts.level else ""
    return f"transaction {facts.transaction}{level}, resource {facts.kind}"


def _told(verdicts: Sequence[Verdict]) -> Iterator[str]:
    decided = False
    for verdict in verdicts:
        if verdict.unmet is not None:
            yield f"rule {verdict.rule.name}: no, {verdict.unmet}"
        elif decided:
            yield f"rule {verdict.rule.name}: would match, but an earlier rule decides"
        else:
            yield f"rule {verdict.rule.name}: matches and decides"
            decided = True
    if not decided:
        yield "no rule matches: the default decides"


def _decided(decision: Route | Denial, transaction: Transaction) -> str:
    if isinstance(decision, Denial):
        return f"denied: {decision.status} {decision.reason}"
    upstreams = f"upstreams: {', '.join(decision.upstreams)}"
    if transaction is Transaction.SEARCH:
        partial = "fail" if decision.strict else "warn"
        return f"{upstreams}\ndeadline: {decision.deadline:g}s, partial: {partial}"
    return f"{upstreams}\n{_kept(decision)}" if transaction is Transaction.RETRIEVE else upstreams


def _kept(route: Route) -> str:
    """What the cache does of a retrieve's own accord."""
    return (
        f"promote: {'yes' if route.promote else 'no'}, read_ahead: {route.read_ahead}, "
        f"max_stale: {route.max_stale:g}s, default_syntax: {'any' if route.any_syntax else 'explicit'}"
    )


def _below_root(url: str, config: Config) -> str:
    """The raw path and query below the DICOMweb root; a path that has no base path is taken as it is."""
    target = re.sub(r"\Ahttps?://[^/?#]*", "", url).partition("#")[0]
    for root in (urlsplit(config.server.public_url or "").path, config.server.base_path):
        if root and re.match(re.escape(root) + r"(?:[/?]|\Z)", target):
            return target.removeprefix(root)
    return target


def _now(at: datetime | None, zone: tzinfo | None) -> datetime:
    return at_site(at, zone) if at else datetime.now().astimezone()


def _moment(text: str) -> datetime:
    """A bare time of day means today."""
    try:
        return moment(f"{datetime.now():%Y-%m-%d} {text}" if _CLOCK.match(text) else text)
    except Mistake as mistake:
        raise argparse.ArgumentTypeError(f"{mistake.what}; {mistake.fix}") from None


def _element(text: str) -> tuple[str, tuple[str, ...]]:
    """Several values are separated by a backslash, as in the dataset."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("write it as KEYWORD=VALUE")
    try:
        return dataset_attribute(name), tuple(value.split("\\"))
    except Mistake as mistake:
        raise argparse.ArgumentTypeError(f"{mistake.what}; {mistake.fix}") from None


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError("write it as 'Name: value'")
    return name.strip(), value.strip()
