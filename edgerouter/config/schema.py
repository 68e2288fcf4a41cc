"""JSON Schema of the files as a person writes them: durations and sizes are text, nothing is null."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from edgerouter.config.config import ConfigFile
from edgerouter.config.rules import RuleFile
from edgerouter.config.section import Section


class _AsWritten(GenerateJsonSchema):
    """A key that may be left out is left out; None is what code sees then, not what a file says."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        default = schema.get("default")
        if default in (None, ()) or isinstance(default, Section):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def config_schema() -> dict[str, Any]:
    return _schema(ConfigFile)


def rules_schema() -> dict[str, Any]:
    return _schema(RuleFile)


def _schema(model: type[ConfigFile] | type[RuleFile]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}
