"""From pydantic's findings to a report for people: the place in the file, what is wrong, what to do."""

import re
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edgerouter.config.document import Document, Place
from edgerouter.config.problems import Mistake, Problem, did_you_mean, shown
from edgerouter.config.section import Section, Surroundings

S = TypeVar("S", bound=Section)
Saying = tuple[str, str]


def validate(model: type[S], document: Document, around: Surroundings) -> S | None:
    """The document as `model`, or None after its mistakes were added to the document's problems."""
    try:
        return model.model_validate(document.data, context=around)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        document.problems += [_problem(finding, model, document) for finding in findings]
        return None


def _problem(finding: ErrorDetails, model: type[Section], document: Document) -> Problem:
    section, place = _locate(model, finding["loc"])
    while place and isinstance(place[-1], int) and place not in document.marks:
        place = place[:-1]  # a value that was written without the brackets of its list
    return document.problem(place, *_say(finding, section))


def _say(finding: ErrorDetails, section: type[Section] | None) -> Saying:
    kind = finding["type"]
    if kind == "extra_forbidden" and section:
        return _unknown_key(str(finding["loc"][-1]), section)
    context = finding.get("ctx", {})
    if isinstance(mistake := context.get("error"), Mistake):
        return mistake.what, mistake.fix
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _not_a_word(finding["input"], str(context.get("expected") or context.get("expected_tags")))
    return _SAYINGS.get(kind, (finding["msg"].lower(), "see edgerouter schema"))


_SAYINGS: dict[str, Saying] = {
    "missing": ("is required", "add it"),
    "union_tag_not_found": ("has no type", "add type: basic, bearer or header"),
    "model_type": ("must be a mapping", "write key: value lines below it"),
    "dict_type": ("must be a mapping", "write key: value lines below it"),
    "model_attributes_type": ("must be a mapping", "write key: value lines below it"),
    "tuple_type": ("must be a list", "write [a, b], or one - per line"),
    "string_type": ("must be a single value", "write one word or quoted text"),
    "too_short": ("is empty", "fill it or leave it out"),
    "string_too_short": ("is empty", "fill it or leave it out"),
    "string_too_long": ("is too long", "shorten it"),
    "string_pattern_mismatch": (
        "has characters that are not allowed here, none, or too many",
        "see edgerouter schema",
    ),
}


def _unknown_key(key: str, section: type[Section]) -> Saying:
    if key in section.later:
        return "is not available in this version", "remove it"
    return f"unknown key {shown(key)}", did_you_mean(key, section.model_fields)


def _not_a_word(value: Any, expected: str) -> Saying:
    words = re.findall(r"'([^']*)'", expected)
    word = value.get("type", "") if isinstance(value, dict) else value
    if not isinstance(word, str):
        return "must be a single value", f"known: {', '.join(words)}"
    return f"unknown value {shown(word)}", did_you_mean(word, words)


def _locate(model: type[Section], loc: Sequence[str | int]) -> tuple[type[Section] | None, Place]:
    """The section that a finding is about, and its place without what pydantic put in between."""
    here: Any = model
    section: type[Section] | None = model
    place: list[str | int] = []
    for step in loc:
        here, real = _descend(here, step)
        if real and step != "[key]":
            place.append(step)
        members = [member for member in _members(here) if _is_section(member)]
        section = members[0] if len(members) == 1 else section
    return section, tuple(place)


def _descend(annotation: Any, step: str | int) -> tuple[Any, bool]:
    """The annotation one step down; False for the tag of a union, which is not in the file."""
    members = list(_members(annotation))
    for member in members:
        if get_origin(member) in (dict, tuple):
            return get_args(member)[-1 if get_origin(member) is dict else 0], True
    tagged = [member for member in members if _is_section(member) and _tag(member) == step]
    if len(members) > 1 and tagged:
        return tagged[0], False
    for member in members:
        if _is_section(member) and step in member.model_fields:
            return member.model_fields[step].annotation, True
    return None, True


def _members(annotation: Any) -> Iterator[Any]:
    """What an annotation can be, without metadata and None."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif annotation is not type(None):
        yield annotation


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _tag(section: type[Section]) -> str | None:
    field = section.model_fields.get("type")
    return get_args(field.annotation)[0] if field else None
