"""What a person may write of requests in a rule: which of them it is for, compiled into conditions."""

import re
from datetime import tzinfo
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.types import StringConstraints

from edgerouter.config.attributes import Attribute, DatasetAttribute
from edgerouter.config.problems import Mistake, shown
from edgerouter.config.section import OneOrMany, Section
from edgerouter.config.values import NetworkText, WindowText
from edgerouter.dicomweb.resource import Kind, Level, Transaction
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
from edgerouter.routing.schedule import ALL_DAY, DAYS, Schedule

T = TypeVar("T")
AnyOf = Annotated[tuple[T, ...], OneOrMany()]
"""One value or a list; any of them will do."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")  # RFC 9110 §5.6.2
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


def _field_name(value: object) -> str:
    text = str(value)
    if not _TOKEN.match(text):
        raise Mistake(f"{shown(text)} is not the name of a header field", "write it as X-Site")
    return text.lower()


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
