"""Rule files: what a person may write in a rule and in a rule test, compiled for the router."""

import re
from datetime import tzinfo
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.types import StringConstraints

from edgerouter.config.attributes import Attribute, DatasetAttribute
from edgerouter.config.guards import Guards
from edgerouter.config.problems import Mistake, shown
from edgerouter.config.section import OneOrMany, RuleRef, Section, UpstreamRef, written
from edgerouter.config.values import (
    AddressText,
    Duration,
    DurationOrNone,
    FrameCount,
    MomentText,
    Name,
    NetworkText,
    WindowText,
    YesNo,
)
from edgerouter.dicomweb.domains import BareIds
from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.dicomweb.united import Counts
from edgerouter.errors import RequestError
from edgerouter.routing.conditions import (
    Condition,
    OnClient,
    OnDataset,
    OnField,
    OnLevel,
    OnQuery,
    OnResource,
    OnTime,
    OnTransaction,
    Wildcard,
)
from edgerouter.routing.facts import Asked, asked
from edgerouter.routing.router import Denial, Route, Rule
from edgerouter.routing.schedule import ALL_DAY, DAYS, Schedule

T = TypeVar("T")
AnyOf = Annotated[tuple[T, ...], OneOrMany()]
"""One value or a list; any of them will do."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")  # RFC 9110 §5.6.2
DEFAULT = "default"  # what a rule test calls the outcome when no rule matched
STATUSES = (403, 404, 405, 410, 429, 451, 503)
KindWord = Literal[
    "collection",
    "dicom",
    "metadata",
    "frames",
    "bulkdata",
    "pixeldata",
    "rendered",
    "thumbnail",
    "volume",
    "wado-uri",
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


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


def _field_name(value: object) -> str:
    text = str(value)
    if not _TOKEN.match(text):
        raise Mistake(f"{shown(text)} is not the name of a header field", "write it as X-Site")
    return text.lower()


Status = Annotated[int, PlainValidator(_status), WithJsonSchema({"enum": list(STATUSES)})]
Refusal = Annotated[int, PlainValidator(_refusal), WithJsonSchema({"enum": [400, 413]})]
RequestText = Annotated[Asked, PlainValidator(_request), WithJsonSchema({"type": "string"})]
FieldName = Annotated[str, PlainValidator(_field_name), WithJsonSchema({"type": "string"})]
# Editors read 123 as a number; to us every value is the text that stands there.
Pattern = Annotated[str, StringConstraints(max_length=256), WithJsonSchema({"type": ["string", "number"]})]


class Match(Section):
    """What a request must be; every key that is given has to hold, and any one of a key's values will do."""

    later = frozenset({"identity"})

    transaction: AnyOf[Literal["search", "retrieve", "store", "wado-uri"]] = ()
    """`retrieve` holds for WADO-URI too."""
    level: AnyOf[Level] = ()
    resource: AnyOf[KindWord] = ()
    """The last word of the path; `dicom` is whole objects, `collection` what is searched or stored into."""
    query: Annotated[dict[Attribute, AnyOf[Pattern]], Field(min_length=1)] = Field(default_factory=dict)
    """Keyword or tag → value, with * and ?. The UIDs of the path count; case matters but in person names."""
    dataset: Annotated[dict[DatasetAttribute, AnyOf[Pattern]], Field(min_length=1)] = Field(
        default_factory=dict
    )
    """Of each uploaded instance: keyword or tag → value, with * and ?; an empty attribute matches nothing."""
    header: Annotated[dict[FieldName, AnyOf[Pattern]], Field(min_length=1)] = Field(default_factory=dict)
    """Field name → value, with * and ?; case matters."""
    client: AnyOf[NetworkText] = ()
    """The client's network."""
    time: AnyOf[WindowText] = ()
    """In the site's time zone: "22:00-06:00" belongs to the day it began."""
    days: AnyOf[Day] = ()

    @model_validator(mode="after")
    def _datasets_are_stored(self) -> Self:
        if self.dataset and self.transaction != ("store",):
            # Elsewhere such a rule would never match: a deny that is not one.
            raise Mistake("dataset is known of uploads only", "write transaction: store beside it")
        return self

    def conditions(self, zone: tzinfo | None) -> tuple[Condition, ...]:
        """The conditions of the keys that are given, in the order above, but `dataset`."""
        found: list[Condition] = []
        if self.transaction:
            found.append(OnTransaction(frozenset(map(Transaction, self.transaction))))
        if self.level:
            found.append(OnLevel(frozenset(self.level)))
        if self.resource:
            found.append(OnResource(frozenset(map(Kind, self.resource))))
        found += [OnQuery.of(name, values) for name, values in self.query.items()]
        found += [OnField(name, tuple(map(Wildcard, values))) for name, values in self.header.items()]
        if self.client:
            found.append(OnClient(self.client))
        if self.time or self.days:
            days = frozenset(map(DAYS.index, self.days or DAYS))
            found.append(OnTime(Schedule(self.time or (ALL_DAY,), days, zone)))
        return tuple(found)

    def of_the_dataset(self) -> tuple[OnDataset, ...]:
        """The conditions of `dataset`."""
        return tuple(OnDataset.of(name, values) for name, values in self.dataset.items())


class RouteTo(Guards):
    """Where a matching request goes, and what its searches must be like."""

    later = frozenset({"store"})

    upstreams: AnyOf[UpstreamRef]
    """The upstreams that may be asked, the preferred one first."""
    deadline: Duration = written("10s")
    """Search: the time every upstream has to answer."""
    partial: Literal["warn", "fail"] = "warn"
    """Search, retrieve: whether an upstream without an answer is named in a warning, or fails the request."""
    promote: YesNo = True
    """Retrieve: whether a missing frame of a single-frame instance brings the whole instance."""
    read_ahead: FrameCount = 0
    """Retrieve: how many of the frames that follow a missing one are fetched with it."""
    max_stale: DurationOrNone = written("7d")
    """Retrieve: how long beyond its lifetime what is held is served while its upstream does not answer."""
    default_syntax: Literal["explicit", "any"] = "explicit"
    """Retrieve: what a client means that names no transfer syntax: Explicit VR Little Endian, or any."""

    counts: Counts = "max"
    """Search: what NumberOf… of a study or series at several upstreams is: the largest that one of them says;
    `exact`, by listing its instances; or `sum`, for upstreams that never hold the same instance."""
    patients: Literal["flag", "apart"] = "flag"
    """Search: whether a study that is another patient's at another upstream is one row, the better holder's,
    and a line in the log, or a row for each patient."""
    bare_ids: BareIds | None = None
    """Search: what a PatientID without IssuerOfPatientID means; without it, what `patients` says."""

    def compile(self, rule: str) -> Route:
        return Route(
            self.upstreams,
            rule,
            self.deadline,
            self.partial == "fail",
            counts=self.counts,
            apart=self.patients == "apart",
            bare_ids=self.bare_ids,
            promote=self.promote,
            read_ahead=self.read_ahead,
            max_stale=self.max_stale,
            any_syntax=self.default_syntax == "any",
            guard=self.guard(),
        )


class Deny(Section):
    """How a matching request is refused."""

    status: Status = 403
    reason: Annotated[str, StringConstraints(pattern=r"^[^\n\t]{1,200}$")] = "Refused by a rule."
    """Told to the client."""


class RuleConfig(Section):
    """One rule; `match: {}` matches every request."""

    name: Name
    match: Match
    route: RouteTo | None = None
    deny: Deny | None = None

    @model_validator(mode="after")
    def _one_consequence(self) -> Self:
        if self.name == DEFAULT:
            raise Mistake(f"{DEFAULT} is what no rule at all is called", "choose another name")
        if (self.route is None) is (self.deny is None):
            raise Mistake("needs exactly one of route and deny", "keep one consequence")
        if self.route and self.route.guards:
            if self.match.transaction != ("search",):
                # Elsewhere such a route would let everything through: a guard that is none.
                what = f"route.{self.route.guards[0]} is of searches only"
                raise Mistake(what, "write transaction: search in its match")
            if why := self.route.misplaced(self.match.level):
                raise Mistake(f"route: {why}", "say by match.level what is searched")
        return self

    def compile(self, zone: tzinfo | None) -> Rule:
        """The rule as the router knows it, its times in `zone`."""
        consequence: Route | Denial
        if self.deny:
            consequence = Denial(self.deny.status, self.deny.reason)
        else:
            consequence = self.route.compile(self.name) if self.route else Route((), self.name)
        return Rule(self.name, self.match.conditions(zone), consequence, self.match.of_the_dataset())


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


class RuleFile(Section):
    """A file of rules in their order, with tests."""

    rules: tuple[RuleConfig, ...]
    tests: tuple[RuleTest, ...] = ()


def rules_in(data: Any) -> list[Any]:
    """The rules of a rule file that may be wrong otherwise, before validation."""
    rules = data.get("rules") if isinstance(data, dict) else None
    return rules if isinstance(rules, list) else []


def names(data: Any) -> list[str | None]:
    """The names of these rules, None where a rule has none."""
    found = [rule.get("name") if isinstance(rule, dict) else None for rule in rules_in(data)]
    return [name if isinstance(name, str) else None for name in found]
