"""What several commands share: the -c option, and a configuration or its report."""

import argparse
from typing import TYPE_CHECKING, TextIO

from edgerouter.config import Config, ConfigError, load

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

GOOD, REFUSED = 0, 1


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--config", metavar="FILE", required=True, help="the configuration")


def counted(number: int, noun: str, shown: str = "") -> str:
    """A number of things, as it is said; `shown` is how the number itself is."""
    many = noun if number == 1 else f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{shown or number} {many}"


def load_or_report(path: str, to: TextIO) -> Config | None:
    """The configuration, or None after every mistake was written to `to`."""
    try:
        return load(path)
    except ConfigError as error:
        print(error, file=to)
        return None
