"""The tables of the status page: pure, from figures to HTML."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo

from edgerouter.admin.figures import CachePins, CacheShare, CacheStatus, UpstreamStatus
from edgerouter.admin.markup import Html, element, joined
from edgerouter.admin.recent import Answered
from edgerouter.admin.units import NOTHING, count, share, size, span, wait

_PLACE = re.compile(r"\{[^{}]*\}")
_ENDINGS = {"complete": "", "cut": "cut", "client_gone": "client left"}
_TONES = {"hit": "good", "partial": "fair", "stale": "fair"}


def upstream_table(upstreams: Sequence[UpstreamStatus]) -> Html:
    """Each upstream with its health and its share of the traffic."""
    heads = ("Upstream", "State", "For", "Requests#", "Received#", "In flight#", "Waiting#", "Last error")
    return _table(heads, [_upstream(upstream) for upstream in upstreams])


def _upstream(upstream: UpstreamStatus) -> Html:
    name = element("td", element("b", upstream.name), " ", element("small", upstream.profile))
    again = element("small", f" asked again in {span(upstream.wait)}") if upstream.wait else ""
    return _row(
        name,
        element("td", _badge(upstream), again),
        element("td", "since start" if upstream.age is None else span(upstream.age)),
        _number(count(upstream.requests)),
        _number(size(upstream.received)),
        _number(count(upstream.in_flight)),
        _number(count(upstream.waiting)),
        element("td", upstream.last_error or NOTHING, class_="quiet"),
    )


def _badge(upstream: UpstreamStatus) -> Html:
    tone = {"up": "good", "ejected": "bad"}.get(upstream.state, "fair")
    return element("span", upstream.state, class_=f"badge {tone}")


def cache_facts(cache: CacheStatus) -> Html:
    """What happened in the cache, a figure each."""
    counts = cache.counts
    facts = (
        ("studies held", cache.studies, ""),
        ("of them pinned", cache.pinned.studies, ""),
        ("units held", cache.units, ""),
        ("taken in", counts.adopted, ""),
        ("fills", counts.fills, ""),
        ("joined a fill", counts.collapsed, ""),
        ("passed, not kept", counts.passed, ""),
        ("evicted", counts.evicted, ""),
        ("purged", counts.purged, ""),
        ("verified", cache.verified, ""),
        ("damaged", counts.damaged, "bad"),
        ("disk errors", counts.errors, "bad"),
    )
    shown = [
        element("div", element("dt", name), element("dd", count(number), class_=tone if number else ""))
        for name, number, tone in facts
    ]
    return element("dl", *shown)


def share_table(shares: Sequence[CacheShare]) -> Html:
    """What each upstream takes of the cache, and may take."""
    heads = ("Upstream", "Used#", "Quota#", "Share of its quota", "Pinned#")
    return _table(heads, [_share(one) for one in shares])


def _share(one: CacheShare) -> Html:
    meter: Html | str = NOTHING
    if one.quota:
        used = share(one.bytes / one.quota)
        meter = element("meter", used, min="0", max=str(one.quota), value=str(one.bytes), title=used)
    return _row(
        element("td", element("b", one.upstream)),
        _number(size(one.bytes)),
        _number(NOTHING if one.quota is None else size(one.quota)),
        element("td", meter),
        _number(size(one.pinned) if one.pinned else NOTHING),
    )


def pin_notes(pins: CachePins, zone: tzinfo | None) -> Html:
    """What an operator has to know of the pins, if anything."""
    notes = []
    if pins.crowded:
        notes.append("Pinned studies leave no room: what is fetched passes through and is not kept.")
    if pins.lost_at is not None:
        at = datetime.fromtimestamp(pins.lost_at, zone)
        notes.append(f"The catalog was lost {at:%Y-%m-%d %H:%M}: what was pinned is not known any more.")
    return joined(*(element("p", note, class_="alarm") for note in notes))


def recent_table(recent: Sequence[Answered], zone: tzinfo | None) -> Html:
    """The last requests; identifiers, queries and addresses are not among what is known of them."""
    if not recent:
        return element("p", "No request yet.", class_="quiet")
    heads = ("Time", "Method", "Resource", "Status#", "Sent#", "Took#", "Cache", "End")
    return _table(heads, [_answered(answered, zone) for answered in recent])


def _answered(answered: Answered, zone: tzinfo | None) -> Html:
    at = answered.at.astimezone(zone)
    return _row(
        element("td", element("time", f"{at:%H:%M:%S}", datetime=at.isoformat(timespec="seconds"))),
        element("td", answered.method),
        element("td", _path(answered.template), class_="path"),
        _status(answered.status),
        _number(size(answered.bytes) if answered.bytes else NOTHING),
        _number(wait(answered.seconds)),
        element("td", _cache(answered.cache)),
        element("td", _ending(answered), class_="bad" if answered.outcome == "cut" else "quiet"),
    )


def _path(template: str | None) -> Html:
    if template is None:
        return element("span", "no such resource", class_="quiet")
    # An identifier's place is obvious from the word before it.
    return element("span", _PLACE.sub("…", template), title=template)


def _status(status: int | None) -> Html:
    tone = "" if status is None or status < 400 else " fair" if status < 500 else " bad"
    return element("td", str(status or NOTHING), class_=f"number{tone}")


def _cache(outcome: str | None) -> Html | str:
    return element("span", outcome, class_=f"badge {_TONES.get(outcome, 'plain')}") if outcome else NOTHING


def _ending(answered: Answered) -> str:
    return ", ".join(filter(None, (_ENDINGS.get(answered.outcome, answered.outcome), answered.error)))


def _table(heads: Sequence[str], rows: Sequence[Html]) -> Html:
    """A head that ends in # stands over numbers."""
    cells = (element("th", head.rstrip("#"), class_="number" * head.endswith("#")) for head in heads)
    table = element("table", element("thead", _row(*cells)), element("tbody", *rows))
    return element("div", table, class_="scroll")


def _row(*cells: Html) -> Html:
    return element("tr", *cells)


def _number(text: str) -> Html:
    return element("td", text, class_="number")
