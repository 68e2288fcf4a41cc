"""The Store Instances Response Module (PS3.18 Annex I): read from any archive, written for any client.

What is carried are the outcomes; optional attributes of an item (Original Attributes Sequence and the like)
reach the client only where an archive's answer is relayed as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.native_model import Model, read_model, write_model

# Clients compare it whole: with a charset parameter they see an empty answer.
JSON = "application/dicom+json"
XML = "application/dicom+xml"

CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0x0110

_NUMBER = re.compile(r"[0-9]{1,5}")
_RETRIEVE_URL, _FAILED, _REFERENCED, _OTHER = "00081190", "00081198", "00081199", "0008119A"
_SOP_CLASS, _SOP_INSTANCE, _WARNING, _FAILURE = "00081150", "00081155", "00081196", "00081197"


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one instance: it is stored, perhaps with a warning, unless there is a failure reason.

    The UIDs are empty for a part that could not be attributed to an instance. Reasons are PS3.18 Annex I
    codes, any 16-bit number.
    """

    sop_class: str
    sop_instance: str
    retrieve_url: str = ""
    warning: int | None = None
    failure: int | None = None

    @property
    def stored(self) -> bool:
        return self.failure is None


@dataclass(frozen=True, slots=True)
class StoreResponse:
    """All outcomes of one Store, and the study's Retrieve URL ("" when there are several studies)."""

    outcomes: tuple[StoreOutcome, ...]
    retrieve_url: str = ""

    def write(self, media: str) -> bytes:
        """The module as JSON or XML, whichever media type is given."""
        model = _model(self)
        return write_model(model) if media == XML else msgspec.json.encode(model)


def read_store_response(body: bytes, media: str) -> StoreResponse:
    """What an archive answered to a Store, as `media`, application/dicom+json or +xml (or without dicom+).

    Raises JsonError or XmlError (ValueErrors) for what is not one dataset."""
    model = read_model(body) if media.endswith("xml") else _json_model(body)
    urls = [text for value in _values(model, _RETRIEVE_URL) if (text := _text(value))]
    return StoreResponse(tuple(_outcomes(model)), urls[0] if len(urls) == 1 else "")


def _json_model(body: bytes) -> Model:
    splitter = ArraySplitter(lone=True)
    rows = splitter.feed(body)
    splitter.finish()
    if len(rows) != 1:
        raise JsonError("A Store answer is one dataset.")
    try:
        return msgspec.json.decode(rows[0], type=dict[str, Any])
    except msgspec.DecodeError as error:  # a number beyond all bounds
        raise JsonError("A Store answer's number is out of range.") from error


def _outcomes(model: Model) -> Iterator[StoreOutcome]:
    for item in _values(model, _REFERENCED):
        if uid := _first(item, _SOP_INSTANCE):
            url, warning = _first(item, _RETRIEVE_URL), _reason(item, _WARNING)
            yield StoreOutcome(_first(item, _SOP_CLASS), uid, url, warning=warning)
    for item in [*_values(model, _FAILED), *_values(model, _OTHER)]:
        reason = _reason(item, _FAILURE)
        failure = PROCESSING_FAILURE if reason is None else reason
        yield StoreOutcome(_first(item, _SOP_CLASS), _first(item, _SOP_INSTANCE), failure=failure)


def _values(dataset: object, tag: str) -> list[Any]:
    attribute = dataset.get(tag) if isinstance(dataset, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values if isinstance(values, list) else []


def _first(dataset: object, tag: str) -> str:
    return next(map(_text, _values(dataset, tag)), "")


def _text(value: object) -> str:
    return value.strip(" \0\r\n\t") if isinstance(value, str) else ""


def _reason(dataset: object, tag: str) -> int | None:
    """The code, which archives write as a number or as text."""
    for value in _values(dataset, tag):
        code = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
        if isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= 0xFFFF:
            return code
    return None


def _model(response: StoreResponse) -> Model:
    """Tags ascending; conditional sequences only when they have items."""
    failed = [
        _failed(outcome) for outcome in response.outcomes if not outcome.stored and outcome.sop_instance
    ]
    stored = [_stored(outcome) for outcome in response.outcomes if outcome.stored]
    others = [
        {_FAILURE: _attribute("US", outcome.failure)}
        for outcome in response.outcomes
        if not outcome.stored and not outcome.sop_instance
    ]
    model = {_RETRIEVE_URL: _attribute("UR", response.retrieve_url)}
    for tag, items in ((_FAILED, failed), (_REFERENCED, stored), (_OTHER, others)):
        if items:
            model[tag] = {"vr": "SQ", "Value": items}
    return model


def _stored(outcome: StoreOutcome) -> Model:
    item = _reference(outcome) | {_RETRIEVE_URL: _attribute("UR", outcome.retrieve_url)}
    return item if outcome.warning is None else item | {_WARNING: _attribute("US", outcome.warning)}


def _failed(outcome: StoreOutcome) -> Model:
    return _reference(outcome) | {_FAILURE: _attribute("US", outcome.failure)}


def _reference(outcome: StoreOutcome) -> Model:
    return {
        _SOP_CLASS: _attribute("UI", outcome.sop_class),
        _SOP_INSTANCE: _attribute("UI", outcome.sop_instance),
    }


def _attribute(vr: str, value: object) -> dict[str, Any]:
    return {"vr": vr} if value in (None, "") else {"vr": vr, "Value": [value]}
