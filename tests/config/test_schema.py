"""The JSON Schema speaks of the file as a person writes it."""

from typing import Any

import pytest

from edgerouter.config.config import ConfigFile
from edgerouter.config.rules import RuleFile
from edgerouter.config.schema import config_schema, rules_schema


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for item in schema for node in nodes(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for item in schema.values() for node in nodes(item))]


def test_durations_and_sizes_are_text_with_their_default_as_written() -> None:
    definitions = config_schema()["$defs"]

    assert definitions["Timeouts"]["properties"]["store_answer"]["type"] == "string"
    assert definitions["Timeouts"]["properties"]["store_answer"]["default"] == "5m"
    assert definitions["Limits"]["properties"]["max_body"]["default"] == "20 GB"


@pytest.mark.parametrize("schema", [config_schema(), rules_schema()])
def test_nothing_is_null_and_nothing_is_open(schema: dict[str, Any]) -> None:
    assert not [node for node in nodes(schema) if node.get("type") == "null"]
    assert not [
        node
        for node in nodes(schema)
        if "properties" in node and node.get("additionalProperties") is not False
    ]


def test_every_top_level_key_is_there() -> None:
    assert set(config_schema()["properties"]) == set(ConfigFile.model_fields)
    assert set(rules_schema()["properties"]) == set(RuleFile.model_fields)


def test_a_key_that_is_not_available_is_not_in_the_schema() -> None:
    assert "spool" not in config_schema()["properties"]
    assert "identity" not in rules_schema()["$defs"]["Match"]["properties"]


def test_a_route_has_its_deadline_and_what_a_missing_upstream_means() -> None:
    route = rules_schema()["$defs"]["RouteTo"]["properties"]

    assert (route["deadline"]["type"], route["deadline"]["default"]) == ("string", "10s")
    assert (route["partial"]["enum"], route["partial"]["default"]) == (["warn", "fail"], "warn")


def test_a_list_of_one_may_be_written_without_brackets() -> None:
    one, many = rules_schema()["$defs"]["RouteTo"]["properties"]["upstreams"]["anyOf"]

    assert (one["type"], many["type"], many["minItems"]) == ("string", "array", 1)
