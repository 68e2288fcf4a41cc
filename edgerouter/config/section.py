"""What every section of the configuration has in common: frozen, closed, and told of its surroundings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from edgerouter.config.problems import Mistake, did_you_mean, shown


class Section(BaseModel):
    """A mapping of the file. `later` are keys of the design that nothing carries out yet: they are errors,
    since a rule that is silently never applied is an open door."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )
    later: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a value is checked against beyond itself; empty sets mean not known, and check nothing."""

    folder: Path = Path()
    upstreams: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()


def surroundings(info: ValidationInfo) -> Surroundings:
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def written(text: str) -> Any:
    """A default spelled as a person would write it, read by the field's own type."""
    return Field(default=text, validate_default=True)


class OneOrMany:
    """Lets a list of one be written without brackets."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        many: dict[str, Any] = handler(schema)
        return {"anyOf": [many["items"], {**many, "minItems": 1}]}


def _listed(value: object) -> object:
    listed = value if isinstance(value, list | tuple) else (value,)
    if not listed:
        raise Mistake("is empty", "fill it or leave it out")
    return listed


def _known_upstream(value: object, info: ValidationInfo) -> str:
    known = surroundings(info).upstreams
    if not isinstance(value, str):
        raise Mistake("must be the name of an upstream")
    if known and value not in known:
        raise Mistake(f"unknown upstream {shown(value)}", did_you_mean(value, known))
    return value


def _known_rule(value: object, info: ValidationInfo) -> str:
    known = surroundings(info).rules
    if not isinstance(value, str):
        raise Mistake("must be the name of a rule")
    if known and value not in known:
        raise Mistake(f"unknown rule {shown(value)}", did_you_mean(value, known))
    return value


def _beside(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise Mistake("must be a path")
    return surroundings(info).folder / value


UpstreamRef = Annotated[str, PlainValidator(_known_upstream), WithJsonSchema({"type": "string"})]
RuleRef = Annotated[str, PlainValidator(_known_rule), WithJsonSchema({"type": "string"})]
FilePath = Annotated[Path, PlainValidator(_beside), WithJsonSchema({"type": "string"})]
"""The path of a file or folder, relative to the file that names it."""
