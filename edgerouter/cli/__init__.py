"""The command line: `edgerouter COMMAND`; exit status 0 good, 1 refused by what it found, 2 wrong usage."""

import argparse
from collections.abc import Sequence

from edgerouter.cli.cache import add_to as add_cache
from edgerouter.cli.check import add_to as add_check
from edgerouter.cli.demo import add_to as add_demo
from edgerouter.cli.explain import add_to as add_explain
from edgerouter.cli.schema import add_to as add_schema
from edgerouter.cli.serve import add_to as add_serve


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; wrong usage exits with 2."""
    parser = argparse.ArgumentParser(prog="edgerouter", description="DICOMweb edge router.")
    parsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for add_to in (add_serve, add_check, add_explain, add_schema, add_demo, add_cache):
        add_to(parsers)
    arguments = parser.parse_args(argv)
    status: int = arguments.run(arguments)
    return status
