"""The legacy URI service (PS3.18 §9): one instance, named and described by the query alone."""

from dataclasses import dataclass

from edgerouter.dicomweb.query import clean, pairs
from edgerouter.dicomweb.resource import is_uid
from edgerouter.errors import BadRequest

_UIDS = ("studyUID", "seriesUID", "objectUID")
NAMING = ("requestType", *_UIDS)  # the parameters that say of which instance
_FORBIDDEN = ("transfer-syntax", "charset")  # as parameters of a media type in contentType


@dataclass(frozen=True, slots=True)
class WadoUri:
    """A checked WADO-URI request.

    `content_types` are the media types of contentType in the client's order, lower-case, with their other
    parameters; empty means the default, image/jpeg. `transfer_syntax` is a UID or "*". `query` is what the
    client sent, to be passed on; `parameters` is the same decoded and sorted, to be compared.
    """

    study: str
    series: str
    instance: str
    content_types: tuple[str, ...]
    transfer_syntax: str | None
    anonymize: bool
    query: str
    parameters: tuple[tuple[str, str], ...]


def read_wado_uri(raw: str) -> WadoUri:
    """The request in a raw query string; raises BadRequest for what PS3.18 §9 makes a 400 and what can be
    told without the instance. Rendering parameters are left to the upstream."""
    query = clean(raw)
    given = pairs(query)
    values = dict(given)
    if len(values) < len(given):
        raise BadRequest("A parameter of the WADO-URI request is repeated.")
    if values.get("requestType") != "WADO":
        raise BadRequest("The parameter requestType must be WADO.")
    study, series, instance = (_uid(values, name) for name in _UIDS)
    return WadoUri(
        study=study,
        series=series,
        instance=instance,
        content_types=_content_types(values.get("contentType", "")),
        transfer_syntax=_transfer_syntax(values),
        anonymize=_anonymize(values),
        query=query,
        parameters=tuple(sorted(given)),
    )


_OF_INSTANCE = {*NAMING, "contentType", "transferSyntax"}


def is_instance(asked: WadoUri) -> bool:
    """Whether the instance is asked for as it is, as a PS3.10 file."""
    names = {name for name, _ in asked.parameters}
    return asked.content_types == ("application/dicom",) and names <= _OF_INSTANCE


def _uid(values: dict[str, str], name: str) -> str:
    if not is_uid(values.get(name, "")):
        raise BadRequest(f"The parameter {name} must be a UID: digits and dots, at most 64 characters.")
    return values[name]


def _content_types(value: str) -> tuple[str, ...]:
    types = tuple(text for item in value.lower().split(",") if (text := item.strip()))
    names = {parameter.partition("=")[0].strip() for text in types for parameter in text.split(";")[1:]}
    if not names.isdisjoint(_FORBIDDEN):
        raise BadRequest("A media type in contentType has no transfer-syntax and no charset parameter.")
    return types


def _transfer_syntax(values: dict[str, str]) -> str | None:
    value = values.get("transferSyntax")
    if value is not None and value != "*" and not is_uid(value):
        raise BadRequest("The parameter transferSyntax must be a UID or *.")
    return value


def _anonymize(values: dict[str, str]) -> bool:
    value = values.get("anonymize")
    if value not in (None, "yes"):
        raise BadRequest("The parameter anonymize can only be yes.")
    return value is not None
