"""edgerouter schema: the JSON Schema of the configuration, or of a rule file, for editors."""

import argparse
import json
from typing import TYPE_CHECKING

from edgerouter.cli.common import GOOD
from edgerouter.config.schema import config_schema, rules_schema

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers

_SCHEMAS = {"config": config_schema, "rules": rules_schema}


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser("schema", help="print the JSON Schema of the configuration")
    parser.add_argument("of", nargs="?", choices=tuple(_SCHEMAS), default="config")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    print(json.dumps(_SCHEMAS[arguments.of](), indent=2, ensure_ascii=False))
    return GOOD
