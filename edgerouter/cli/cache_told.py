"""What `edgerouter cache` prints: pure, from the documents of the operations to lines."""

from collections.abc import Iterator
from datetime import datetime

from edgerouter.admin.units import NOTHING, count, size
from edgerouter.cli.common import counted
from edgerouter.cli.reach import Document
from edgerouter.cli.table import table
from edgerouter.config import Config

_EVENTS = (
    ("taken in", "adopted"),
    ("fills", "fills"),
    ("joined a fill", "collapsed"),
    ("passed, not kept", "passed"),
    ("evicted units", "evicted"),
    ("purged units", "purged"),
    ("damaged", "damaged"),
    ("disk errors", "errors"),
)
_SHOWN = 20  # studies named one by one


def stats(found: Document, config: Config) -> Iterator[str]:
    """How full it is, per upstream, what is pinned, and what happened."""
    used = found["bytes"] + found["filling"]
    filling = f", {size(found['filling'])} of it part files" if found["filling"] else ""
    yield f"{size(used)} of {size(found['size'])} used{filling}"
    yield f"{_many(found['studies'], 'study')}, {_many(found['units'], 'unit')}"
    if found["paused"]:
        yield "a write failed a moment ago: nothing is kept for now"
    yield from pin_words(found["pinned"])
    if lost := found["pinned"]["lost_at"]:
        yield f"the catalog was lost at {_time(lost, config)}: what was pinned before is not known any more"
    if found["verification"]:
        last = found["verification"]
        state = last["ended"] or "under way"
        yield (
            f"verification {state}: {count(last['units'])} of {count(last['of_units'])} units,"
            f" {count(last['damaged'])} damaged"
        )
    yield ""
    rows = [
        (
            share["upstream"],
            size(share["bytes"]),
            NOTHING if share["quota"] is None else size(share["quota"]),
            size(share["pinned"]),
        )
        for share in found["shares"]
    ]
    yield from table(("upstream", "used#", "quota#", "pinned#"), rows)
    yield ""
    counts = found["counts"]
    hits = sum(counts["hits"].values())
    rest = [(name, count(counts[key])) for name, key in _EVENTS]
    rows_of_events = [("unit hits", count(hits)), ("unit misses", count(counts["misses"])), *rest]
    yield from table(("since it was opened", "#"), rows_of_events)


def pin_words(pinned: Document) -> Iterator[str]:
    """How much is pinned, and whether that is too much."""
    yield (
        f"{_many(pinned['pins'], 'pin')}, {_many(pinned['studies'], 'pinned study')}"
        f" of {size(pinned['bytes'])}"
        if pinned["pins"]
        else "nothing is pinned"
    )
    if pinned["crowded"]:
        yield "pinned studies leave no room: what is fetched passes through and is not kept"


def studies(found: Document, config: Config) -> Iterator[str]:
    """One line for each study; patients only where they were asked for."""
    rows = found["studies"]
    heads = ["study", "upstream", "units#", "size#", "last used", "pinned", "study date"]
    with_patients = any("patient" in row for row in rows)
    cells = [
        [
            row["study"],
            row["upstream"],
            count(row["units"]),
            size(row["bytes"]),
            _time(row["last_used"], config),
            "pinned" if row["pinned"] else "",
            _date(row["study_date"]),
            *(_patient(row["patient"]) if with_patients else ()),
        ]
        for row in rows
    ]
    yield from table([*heads, "patient ID", "issuer", "name"] if with_patients else heads, cells)
    if len(rows) < found["of"]:
        yield f"{count(len(rows))} of {_many(found['of'], 'study')}; --limit 0 shows all"


def pins(found: Document, config: Config) -> Iterator[str]:
    """What is pinned."""
    rows = [
        (
            pin["study"] or pin["query"],
            pin["upstream"] or "all",
            _time(pin["made_at"], config),
            count(pin["undecided"]) if pin["undecided"] else "",
        )
        for pin in found["pins"]
    ]
    yield from table(("pin", "upstream", "since", "cannot be asked of#"), rows)


def pinned(found: Document, config: Config) -> Iterator[str]:
    """After a pin was made or taken back."""
    yield from pin_words(found["pinned"])
    if found.get("undecided"):
        yield f"of {_many(found['undecided'], 'study')} no metadata is here: the query cannot be asked of it"


def purged(found: Document) -> Iterator[str]:
    """What went, and what did not."""
    yield f"purged {_many(found['studies'], 'study')}, {_many(found['units'], 'unit')}"
    if found["spared"]:
        yield f"spared {_many(found['spared'], 'pinned study')}"
    if found["busy"]:
        yield f"left {_many(found['busy'], 'study')} that somebody still reads: purge again later"
    unknown = found["unknown"]
    if unknown:
        yield f"left {_many(len(unknown), 'study')} of which no metadata here says whose it is:"
        yield from (f"  {one['study']} of {one['upstream']}" for one in unknown[:_SHOWN])
        if len(unknown) > _SHOWN:
            yield "  … --json names them all"


def verified(found: Document) -> Iterator[str]:
    """How a verification ended."""
    yield f"{found['ended']}: {_many(found['units'], 'unit')}, {size(found['bytes'])} read"
    damaged = found["damaged"]
    yield f"removed {_many(damaged, 'damaged unit')}" if damaged else "nothing is damaged"


def stopped(found: Document) -> Iterator[str]:
    """Whether there was anything to end."""
    yield "the verification ends" if found["was_running"] else "no verification is under way"


def _many(number: int, noun: str) -> str:
    return counted(number, noun, count(number))


def _time(text: str, config: Config) -> str:
    local = datetime.fromisoformat(text).astimezone(config.server.time_zone)
    return f"{local:%Y-%m-%d %H:%M}"


def _date(text: str | None) -> str:
    whole = text is not None and len(text) == 8 and text.isdecimal()
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if text and whole else text or NOTHING


def _patient(patient: Document | None) -> tuple[str, str, str]:
    known = patient or {}
    return known.get("id") or NOTHING, known.get("issuer") or NOTHING, known.get("name") or NOTHING
