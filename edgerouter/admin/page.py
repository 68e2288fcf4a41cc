"""The status page as HTML: pure, from a snapshot. What it looks like is in status.css."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from edgerouter.admin.figures import CacheStatus, Traffic
from edgerouter.admin.markup import Html, element, joined
from edgerouter.admin.snapshot import Snapshot
from edgerouter.admin.tables import cache_facts, pin_notes, recent_table, share_table, upstream_table
from edgerouter.admin.units import NOTHING, count, share, size, span

_HERE = Path(__file__).parent
_STYLE = Html((_HERE / "status.css").read_text("utf-8"))
_SCRIPT = Html((_HERE / "status.js").read_text("utf-8"))
_SHELL = (_HERE / "status.html").read_text("utf-8")


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


PAGE_FIELDS = {
    "content-security-policy": (
        f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)};"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}


def page(snapshot: Snapshot) -> str:
    """The whole page; only what stands in <main> changes between two of them."""
    shell = {"{{style}}": _STYLE, "{{script}}": _SCRIPT, "{{live}}": _live(snapshot)}
    text = _SHELL
    for place, content in shell.items():
        text = text.replace(place, content, 1)
    return text


def _live(snapshot: Snapshot) -> Html:
    zone = snapshot.at.tzname() or ""
    return element(
        "main",
        _header(snapshot, zone),
        _tiles(snapshot),
        _section("Upstreams", "since start", upstream_table(snapshot.upstreams)),
        _cache(snapshot.cache, snapshot) if snapshot.cache else Html(),
        _section(
            "Last requests",
            f"newest first, times in {zone}",
            recent_table(snapshot.recent, snapshot.at.tzinfo),
        ),
        id="live",
    )


def _cache(cache: CacheStatus, snapshot: Snapshot) -> Html:
    content = joined(
        pin_notes(cache.pinned, snapshot.at.tzinfo),
        cache_facts(cache),
        share_table(cache.shares) if cache.shares else Html(),
    )
    return _section("Cache", "verifying now" if cache.verifying else "events since start", content)


def _header(snapshot: Snapshot, zone: str) -> Html:
    moment = element("time", f"{snapshot.at:%H:%M:%S}", datetime=snapshot.at.isoformat(timespec="seconds"))
    return element(
        "header",
        element("h1", "edgerouter"),
        element("span", snapshot.version, class_="version"),
        _health(snapshot),
        element("span", f"up {span(snapshot.uptime)} · ", moment, f" {zone}", class_="when"),
    )


def _health(snapshot: Snapshot) -> Html:
    every = len(snapshot.upstreams)
    up = sum(upstream.is_up for upstream in snapshot.upstreams)
    if snapshot.cache and snapshot.cache.paused:
        return element("span", "the cache cannot write", class_="badge bad")
    if snapshot.cache and snapshot.cache.pinned.crowded:
        return element("span", "pins fill the cache", class_="badge bad")
    if up < every:
        return element("span", f"{every - up} of {every} upstreams not up", class_="badge bad")
    return element("span", "all upstreams up", class_="badge good")


def _section(title: str, note: str, content: Html) -> Html:
    return element("section", element("h2", title, " ", element("small", note)), content)


def _tiles(snapshot: Snapshot) -> Html:
    passed = snapshot.traffic
    tiles = (
        _tile("Requests", count(passed.requests), f"{count(passed.active)} being answered"),
        _tile("Sent to clients", size(passed.sent), "bodies, as on the wire"),
        _tile("Received from upstreams", size(passed.received), "bodies, as on the wire"),
        _tile("Saved", size(passed.saved), _saved(passed), "good" if passed.saved > 0 else ""),
        _tile("Hit ratio", *_hits(passed)),
        _fill_tile(snapshot.cache),
    )
    return element("div", *tiles, class_="tiles")


def _tile(title: str, figure: str, note: str, tone: str = "", bar: str = "") -> Html:
    return element(
        "div",
        element("h3", title),
        element("p", figure, class_=f"figure {tone}".rstrip()),
        element("p", note, class_="note"),
        bar,
        class_="tile",
    )


def _saved(passed: Traffic) -> str:
    if passed.saved < 0:
        return "more was fetched than sent"
    return f"{share(passed.saved / passed.sent)} of what was sent" if passed.sent else "nothing sent yet"


def _hits(passed: Traffic) -> tuple[str, str]:
    if passed.hit_ratio is None:
        return NOTHING, "nothing handled yet"
    return share(passed.hit_ratio), f"{count(passed.hits)} of {count(passed.hits + passed.forwarded)} answers"


def _fill_tile(cache: CacheStatus | None) -> Html:
    if cache is None:
        return _tile("Cache", NOTHING, "this router keeps nothing")
    used = cache.bytes + cache.filling
    bar = element("meter", share(used / cache.size), min="0", max=str(cache.size), value=str(used))
    return _tile("Cache fill", share(used / cache.size), f"{size(used)} of {size(cache.size)}", bar=bar)
