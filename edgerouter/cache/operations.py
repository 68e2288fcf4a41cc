"""What an operator does with a cache, carried out: the same for a running router and for a stopped one."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from edgerouter.cache.cache import Cache
from edgerouter.cache.commands import Command, Ls, Pin, Pins, Purge, Refused, Stop, Unpin, Verify
from edgerouter.cache.descriptions import ISSUER, PATIENT_ID, PATIENT_NAME, values
from edgerouter.cache.desk import FAILURES
from edgerouter.cache.pin_query import UnusableQuery, question
from edgerouter.cache.pins import Pin as Pinned
from edgerouter.cache.purging import Choice
from edgerouter.cache.survey import Held
from edgerouter.dicom.matching import Row

Document = dict[str, Any]
Tell = Callable[[Document], None]  # how far a long one is
_STEP = 0.5  # seconds between two words about it


class Operations:
    """The commands over one cache. `upstreams` are the configured ones."""

    def __init__(self, cache: Cache, upstreams: Collection[str]) -> None:
        self._cache = cache
        self._upstreams = upstreams

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something go on as a task of the app, whoever asked for it."""
        self._cache.start(work, name="cache operation")

    async def run(self, command: Command, tell: Tell) -> Document:
        """What came of a command. Raises Refused."""
        try:
            return await self._run(command, tell)
        except FAILURES as error:
            raise Refused(f"The catalog cannot be used just now: {type(error).__name__}.") from error

    async def _run(self, command: Command, tell: Tell) -> Document:
        if isinstance(command, Ls):
            return await self._ls(command)
        if isinstance(command, Pins):
            return {"pins": [await self._pin_told(pin) for pin in await self._cache.pins.all()]}
        if isinstance(command, Pin):
            return await (self._unpin(command) if isinstance(command, Unpin) else self._pin(command))
        if isinstance(command, Purge):
            return await self._purge(command, tell)
        if isinstance(command, Verify):
            return await self._verify(command, tell)
        if isinstance(command, Stop):
            was_running = self._cache.verifier.is_running
            self._cache.verifier.stop()
            return {"was_running": was_running}
        return await self._stats()

    async def _stats(self) -> Document:
        stats = await self._cache.stats()
        lost = stats.pinned.lost_at
        last = self._cache.verifier.last
        told = asdict(stats) | {"verification": asdict(last) if last else None}
        told["pinned"]["lost_at"] = _time(lost) if lost is not None else None
        return told

    async def _ls(self, command: Ls) -> Document:
        self._check_upstream(command.upstream, known_only=False)
        held, of = await self._cache.survey.studies(
            command.upstream, order=command.order, limit=command.limit, patients=command.patients
        )
        return {"studies": [_study(one, patients=command.patients) for one in held], "of": of}

    async def _pin(self, command: Pin) -> Document:
        pin = self._pin_of(command, known_only=True)
        await self._cache.pins.put(pin)
        stats = await self._cache.stats()
        undecided = await self._cache.pins.undecided(pin)
        return {"pinned": asdict(stats.pinned) | {"lost_at": None}, "undecided": undecided}

    async def _unpin(self, command: Unpin) -> Document:
        if not await self._cache.pins.drop(self._pin_of(command, known_only=False)):
            raise Refused("There is no such pin; `cache pin` without more lists those that are.")
        return {"pinned": asdict((await self._cache.stats()).pinned)}

    def _pin_of(self, command: Pin, *, known_only: bool) -> Pinned:
        if (command.study is None) is (command.query is None):
            raise Refused("Name a study or a query, and not both.")
        self._check_upstream(command.upstream, known_only=known_only)
        if command.query and known_only:
            try:
                question(command.query, datetime.now(UTC).date())
            except UnusableQuery as error:
                raise Refused(str(error)) from None
        return Pinned(command.upstream or "", command.study or "", command.query or "", time.time())

    async def _pin_told(self, pin: Pinned) -> Document:
        undecided = await self._cache.pins.undecided(pin)
        return {
            "upstream": pin.upstream or None,
            "study": pin.study or None,
            "query": pin.query or None,
            "made_at": _time(pin.made_at),
            "undecided": undecided,
        }

    async def _purge(self, command: Purge, tell: Tell) -> Document:
        self._check_upstream(command.upstream, known_only=False)
        choice = Choice(
            command.study,
            command.upstream,
            command.patient,
            command.issuer,
            command.unused_for,
            command.stored_before,
        )
        if command.issuer is not None and command.patient is None:
            raise Refused("An issuer says whose a PatientID is: name the patient, too.")
        if (choice == Choice()) is not command.everything:
            raise Refused("Say what is to be purged, or that everything is; not both, not neither.")
        purged = await self._cache.purger.purge(
            choice,
            wait=command.wait,
            tell=_now_and_then(lambda done, of: tell({"done": done, "of": of, "what": "studies"})),
        )
        unknown = [{"upstream": upstream, "study": study} for upstream, study in purged.unknown]
        return asdict(purged) | {"unknown": unknown}

    async def _verify(self, command: Verify, tell: Tell) -> Document:
        self._check_upstream(command.upstream, known_only=False)
        verifier = self._cache.verifier
        if verifier.is_running:
            raise Refused("A verification is under way; `cache verify --stop` ends it.")
        now = verifier.begin()
        work = verifier.run(now, command.study, command.upstream, command.rate)
        self._cache.start(work, name="cache verification")
        while now.ended is None:
            await asyncio.sleep(min(_STEP, 0.02 + now.units * 0.01))
            tell({"done": now.units, "of": max(now.of_units, now.units), "what": "units"})
        return asdict(now)

    def _check_upstream(self, name: str | None, *, known_only: bool) -> None:
        """What is held may be of an upstream that is configured no more; a pin for such a one is a slip."""
        held = () if known_only else self._cache.room.upstreams
        if name is not None and name not in self._upstreams and name not in held:
            raise Refused(f"There is no upstream {name[:70]!r}.")


def _now_and_then(tell: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """The same, told no more often than anybody can read, and at the end."""
    last = float("-inf")

    def telling(done: int, of: int) -> None:
        nonlocal last
        if done == of or time.monotonic() - last > _STEP:
            last = time.monotonic()
            tell(done, of)

    return telling


def _study(held: Held, *, patients: bool) -> Document:
    study = held.study
    told: Document = {
        "study": study.study,
        "upstream": study.upstream,
        "units": held.units,
        "bytes": study.bytes,
        "last_used": _time(study.last_used),
        "pinned": study.pinned,
        "study_date": study.study_date or None,
    }
    return told | {"patient": _patient(held.patient)} if patients else told


def _patient(row: Row | None) -> Document | None:
    if row is None:
        return None
    element = row.get(PATIENT_NAME)
    names = element.get("Value") if isinstance(element, dict) else None
    first = names[0] if isinstance(names, list) and names else None
    spelt = first.get("Alphabetic") if isinstance(first, dict) else None
    return {
        "id": next(iter(values(row, PATIENT_ID)), None),
        "issuer": next(iter(values(row, ISSUER)), None),
        "name": spelt if isinstance(spelt, str) else None,
    }


def _time(seconds: float) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
