"""Attributes of PS3.6 as people write them in a configuration: by keyword or tag."""

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from edgerouter.config.problems import Mistake, did_you_mean, shown
from edgerouter.routing.attributes import attribute, keywords, unreadable


def attribute_name(value: object) -> str:
    """The attribute's one name; raises Mistake."""
    text = str(value)
    name = attribute(text)
    if name is None:
        fix = did_you_mean(text, keywords()) or "write a keyword of PS3.6 or eight hex digits"
        raise Mistake(f"unknown attribute {shown(text)}", fix)
    return name


def dataset_attribute(value: object) -> str:
    """The name of an attribute that rules can look at in an instance; raises Mistake."""
    name = attribute_name(value)
    if why := unreadable(name):
        raise Mistake(f"{shown(str(value))} {why}", "name one at the top of the dataset: Modality")
    return name


Attribute = Annotated[str, PlainValidator(attribute_name), WithJsonSchema({"type": "string"})]
DatasetAttribute = Annotated[str, PlainValidator(dataset_attribute), WithJsonSchema({"type": "string"})]
