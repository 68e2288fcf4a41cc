"""One answer (PS3.18 §10.5.3) to a Store whose instances went to several upstreams, split or mirrored.

An instance counts as stored only when its primary target said so by its UID: silence is not consent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from edgerouter.dicomweb.store_response import (
    CANNOT_UNDERSTAND,
    PROCESSING_FAILURE,
    StoreOutcome,
    StoreResponse,
)

# A warning reason of our own, in the range of warnings: stored, but a mirror of it is not.
MIRROR_FAILED = 0xB0F0


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """What one target made of its share of the upload.

    `status` is its HTTP status, or the one its error maps to; `instances` are the (SOP Class UID, SOP
    Instance UID) sent to it; `response` is None when its answer had no readable module. Each instance has
    one primary target; any other is a mirror.
    """

    status: int
    instances: tuple[tuple[str, str], ...]
    response: StoreResponse | None = None
    primary: bool = True


class _Cause(Enum):
    """Why nothing was stored, and the status that says so."""

    SYNTAX = 400
    CONFLICT = 409
    MEDIA = 415
    TEMPORARY = 503


_CAUSES = {
    400: _Cause.SYNTAX,
    415: _Cause.MEDIA,
    429: _Cause.TEMPORARY,
    502: _Cause.TEMPORARY,
    503: _Cause.TEMPORARY,
    504: _Cause.TEMPORARY,
}


def merge(answers: Sequence[TargetAnswer]) -> tuple[int, StoreResponse]:
    """The status and the module for the client; Retrieve URLs are taken over as they are.

    200 when all is stored without warnings, 202 when something is; else 400, 415 or 503 when that is the
    cause of every failure, and 409 otherwise. An upload without instances is 400."""
    primaries = [answer for answer in answers if answer.primary]
    unmirrored = {uid for answer in answers if not answer.primary for uid in _missing(answer)}
    outcomes = tuple(
        _with_mirrors(outcome, unmirrored) for answer in primaries for outcome in _outcomes(answer)
    )
    status = _status(outcomes, {_CAUSES.get(answer.status, _Cause.CONFLICT) for answer in primaries})
    return status, StoreResponse(outcomes, _retrieve_url(primaries))


def status_of(said: int, outcomes: Sequence[StoreOutcome]) -> int:
    """The status of one archive's answer where its outcomes say more than what it `said`: Google answers 409
    as soon as one instance failed, others 200 whatever failed (PS3.18 §10.5.3.1). Another error stays one."""
    if said not in (200, 202, _Cause.CONFLICT.value):
        return said
    if not any(outcome.stored for outcome in outcomes):
        return _Cause.CONFLICT.value
    clean = all(outcome.stored and outcome.warning is None for outcome in outcomes)
    return 200 if clean and said == 200 else 202


def _outcomes(answer: TargetAnswer) -> Iterator[StoreOutcome]:
    """One outcome for each instance sent, in that order, then the failures that name none."""
    told = _told(answer)
    for sop_class, uid in answer.instances:
        outcome = told.get(uid) or StoreOutcome(sop_class, uid, failure=_reason(answer.status))
        yield replace(outcome, sop_class=outcome.sop_class or sop_class)
    if answer.response:
        yield from (outcome for outcome in answer.response.outcomes if not outcome.sop_instance)


def _told(answer: TargetAnswer) -> dict[str, StoreOutcome]:
    """What the target said, by instance; of two outcomes for one instance the failure counts."""
    outcomes = answer.response.outcomes if answer.response else ()
    return {outcome.sop_instance: outcome for outcome in sorted(outcomes, key=lambda each: not each.stored)}


def _missing(answer: TargetAnswer) -> Iterator[str]:
    return (outcome.sop_instance for outcome in _outcomes(answer) if not outcome.stored)


def _with_mirrors(outcome: StoreOutcome, unmirrored: set[str]) -> StoreOutcome:
    if outcome.stored and outcome.warning is None and outcome.sop_instance in unmirrored:
        return replace(outcome, warning=MIRROR_FAILED)
    return outcome


def _reason(status: int) -> int:
    return CANNOT_UNDERSTAND if status == _Cause.SYNTAX.value else PROCESSING_FAILURE


def _status(outcomes: Sequence[StoreOutcome], causes: set[_Cause]) -> int:
    if not outcomes:
        return _Cause.SYNTAX.value
    if any(outcome.stored for outcome in outcomes):
        return status_of(200, outcomes)
    return causes.pop().value if len(causes) == 1 else _Cause.CONFLICT.value


def _retrieve_url(primaries: Sequence[TargetAnswer]) -> str:
    """The study's, when all that stored something agree that it is one study."""
    told = [answer.response for answer in primaries if answer.response]
    urls = {response.retrieve_url for response in told if any(each.stored for each in response.outcomes)}
    return urls.pop() if len(urls) == 1 else ""
