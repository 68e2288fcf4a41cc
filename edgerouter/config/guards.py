"""The guards of a rule's route: what a search must have, what is added to it, and how much it may find."""

from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.types import StringConstraints

from edgerouter.config.attributes import attribute_name
from edgerouter.config.problems import Mistake, shown
from edgerouter.config.section import OneOrMany, Section
from edgerouter.config.values import Count
from edgerouter.dicomweb.attribute import Attribute as Read
from edgerouter.dicomweb.attribute import read_attribute, read_values
from edgerouter.dicomweb.levels import has
from edgerouter.dicomweb.query import Match
from edgerouter.dicomweb.resource import Level
from edgerouter.errors import BadRequest
from edgerouter.routing.guard import PLACE, Guard

GUARDS = ("require", "max_days", "max_results", "too_many", "add", "rewrite")
_UIDS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})


def _group(value: object) -> tuple[str, ...]:
    words = [word.strip() for word in str(value).split("|")]
    if not all(words):
        raise Mistake(
            f"{shown(str(value))} names no key", 'write it as PatientID, or as "PatientID|StudyDate"'
        )
    return tuple(map(_top, words))


def _top(word: object) -> str:
    name = attribute_name(word)
    if "." in name:
        raise Mistake(f"{shown(str(word))} is inside a sequence", "name one at the top of the dataset")
    return name


def _changed(word: object) -> str:
    name = _top(word)
    if name in _UIDS:
        raise Mistake(
            f"{name} names what is searched, in the path too", "route or deny by match.query instead"
        )
    return name


Group = Annotated[tuple[str, ...], PlainValidator(_group), WithJsonSchema({"type": "string"})]
Changed = Annotated[str, PlainValidator(_changed), WithJsonSchema({"type": "string"})]
Value = Annotated[str, StringConstraints(max_length=256), WithJsonSchema({"type": ["string", "number"]})]


class Guards(Section):
    """Keys of a route that hold for searches."""

    require: Annotated[tuple[Group, ...], OneOrMany()] = ()
    """Search: keys that must be there with a value; of "PatientID|AccessionNumber" one will do."""
    max_days: Count | None = None
    """Search: the number of days that StudyDate may span; more is 413."""
    max_results: Count | None = None
    """Search: the greatest number of results."""
    too_many: Literal["cut", "refuse"] = "cut"
    """Search: what becomes of more results: they are cut off and a warning says so, or 413."""
    add: Annotated[dict[Changed, Annotated[tuple[Value, ...], OneOrMany()]], Field(min_length=1)] = Field(
        default_factory=dict
    )
    """Search: attribute → value or list that has to match too, whatever the client asks."""
    rewrite: Annotated[dict[Changed, Value], Field(min_length=1)] = Field(default_factory=dict)
    """Search: attribute → the value that goes in place of the client's; {} stands for the client's own."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        for name, values in self.add.items():
            if not all(value.strip().strip("*") for value in values):
                raise Mistake(f"add.{name} matches everything", "write a value")
            _read(name, "\\".join(values), several=len(values) > 1)
        for name, value in self.rewrite.items():
            if PLACE not in value:
                _read(name, value, several=False)
        if self.too_many == "refuse" and self.max_results is None:
            raise Mistake("too_many is said without max_results", "write max_results beside it")
        return self

    @property
    def guards(self) -> list[str]:
        """The keys that are given."""
        return [name for name in GUARDS if name in self.model_fields_set]

    def misplaced(self, levels: tuple[Level, ...]) -> str | None:
        """The first key that has no meaning at one of the levels searched, with why."""
        for name in (*self.add, *self.rewrite):
            for level in levels or tuple(Level):
                if not has(level, _attribute(name).tag):
                    return f"{name} is no key of a search at {level} level"
        return None

    def guard(self) -> Guard | None:
        if not self.guards:
            return None
        return Guard(
            require=tuple(tuple(_attribute(name).tag for name in group) for group in self.require),
            max_days=self.max_days,
            max_results=self.max_results,
            refuse=self.too_many == "refuse",
            add=tuple(_match(name, values) for name, values in self.add.items()),
            rewrite=tuple((_attribute(name).tag, value) for name, value in self.rewrite.items()),
        )


def _attribute(name: str) -> Read:
    attribute = read_attribute(name)
    assert attribute is not None  # it was validated
    return attribute


def _match(name: str, values: tuple[str, ...]) -> Match:
    attribute = _attribute(name)
    return Match(attribute, read_values(attribute, "\\".join(values), empty=False, multiple=len(values) > 1))


def _read(name: str, text: str, *, several: bool) -> None:
    try:
        read_values(_attribute(name), text, empty=False, multiple=several)
    except BadRequest as error:
        raise Mistake(error.detail, "correct the value") from None
