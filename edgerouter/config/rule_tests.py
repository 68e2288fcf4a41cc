"""Tests of rules, beside them in their files: a request, and what must come of it."""

from typing import Annotated, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from edgerouter.config.attributes import Attribute, DatasetAttribute
from edgerouter.config.match import AnyOf, FieldName, Pattern
from edgerouter.config.problems import Mistake, shown
from edgerouter.config.section import RuleRef, Section, UpstreamRef
from edgerouter.config.values import AddressText, MomentText
from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import RequestError
from edgerouter.routing.facts import Asked, asked

STATUSES = (403, 404, 405, 410, 429, 451, 503)  # of denials


def _status(value: object) -> int:
    text = str(value)
    if text not in map(str, STATUSES):
        fix = f"choose of {', '.join(map(str, STATUSES))}"
        raise Mistake(f"{shown(text)} is no status for a denial", fix)
    return int(text)


def _refusal(value: object) -> int:
    if str(value) not in ("400", "413"):
        raise Mistake(f"{shown(str(value))} is no status of a guard", "choose of 400, 413")
    return int(str(value))


def _request(value: object) -> Asked:
    method, _, target = str(value).partition(" ")
    if not method.isupper() or not target.startswith("/"):
        raise Mistake("is not a request", 'write it as "GET /studies?PatientID=123", below the DICOMweb root')
    try:
        return asked(method, target)
    except RequestError as error:
        what = f"the router itself refuses this request: {error.detail}"
        raise Mistake(what, "no rule is asked, remove the test") from None


Status = Annotated[int, PlainValidator(_status), WithJsonSchema({"enum": list(STATUSES)})]
Refusal = Annotated[int, PlainValidator(_refusal), WithJsonSchema({"enum": [400, 413]})]
RequestText = Annotated[Asked, PlainValidator(_request), WithJsonSchema({"type": "string"})]


class Expect(Section):
    """What must come of a request; only what is written is compared."""

    rule: RuleRef | None = None
    """The rule that decides, or `default`."""
    upstreams: AnyOf[UpstreamRef] = ()
    denied: Status | None = None
    refused: Refusal | None = None
    """The status by which the guards of the rule refuse a search."""
    query: dict[Attribute, Pattern] = Field(default_factory=dict)
    """Keys, and their values, with which a search goes on."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.rule or self.upstreams or self.denied or self.refused or self.query):
            raise Mistake("expects nothing", "write rule, upstreams, denied, refused or query")
        return self


class RuleTest(Section):
    """One request and what must come of it, run by `edgerouter check`."""

    request: RequestText
    """Method and path below the DICOMweb root: "GET /studies?PatientID=123"."""
    client: AddressText | None = None
    header: dict[FieldName, str] = Field(default_factory=dict)
    dataset: dict[DatasetAttribute, AnyOf[Pattern]] | None = None
    """The attributes of one instance of an upload: keyword or tag → value."""
    at: MomentText | None = None
    """In the site's time zone: "2025-11-22 23:30" or "sat 23:30"; without it, a Monday noon."""
    expect: Expect

    @model_validator(mode="after")
    def _only_uploads_have_datasets(self) -> Self:
        if self.dataset is not None and self.request.transaction is not Transaction.STORE:
            raise Mistake("dataset is known of uploads only", "remove it, or write POST /studies")
        return self
