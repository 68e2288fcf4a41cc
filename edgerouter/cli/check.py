"""edgerouter check: every mistake of a configuration in one report, and the rule tests run."""

import argparse
import sys
from typing import TYPE_CHECKING

from edgerouter.cli.common import GOOD, REFUSED, add_config, counted, load_or_report
from edgerouter.config.rehearsal import rehearse

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser("check", help="check a configuration and run its rule tests")
    add_config(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = load_or_report(arguments.config, sys.stdout)
    if config is None:
        return REFUSED
    for what in config.missing():
        print(f"warning: {what}", file=sys.stderr)
    failed = rehearse(config)
    for problem in failed:
        print(problem)
    if failed:
        print(f"{len(failed)} of {counted(len(config.tests), 'rule test')} failed")
        return REFUSED
    upstreams, rules = counted(len(config.upstreams), "upstream"), counted(len(config.rules), "rule")
    print(f"ok: {upstreams}, {rules}, {counted(len(config.tests), 'rule test')} passed")
    return GOOD
