"""edgerouter serve: run the router over a configuration file, or over upstreams given as they are."""

import argparse
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgerouter.cli.common import GOOD, REFUSED, load_or_report
from edgerouter.config import Config, ConfigError, from_upstreams
from edgerouter.config.problems import Mistake
from edgerouter.config.urls import host
from edgerouter.config.values import port

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser("serve", help="run the router")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("-c", "--config", metavar="FILE", help="the configuration")
    source.add_argument(
        "--upstream", metavar="URL", nargs="+", action="extend", help="no file: these archives"
    )
    parser.add_argument("--host", type=_host, help="listen here instead")
    parser.add_argument("--port", type=port_of, help="listen there instead; 0 takes any free one")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    if config is None:
        return REFUSED
    missing = config.missing()
    for what in missing:
        print(what, file=sys.stderr)
    if missing:
        return REFUSED
    return serve(config.listening(host=arguments.host, port=arguments.port))


def _config(arguments: argparse.Namespace) -> Config | None:
    if arguments.config:
        return load_or_report(arguments.config, sys.stderr)
    try:
        return from_upstreams(arguments.upstream)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def serve(config: Config, ready: Callable[[str], None] | None = None) -> int:
    """Run the router until it is told to stop; `ready` is called with its URL once it listens."""
    # The other commands answer at once: they need none of what serving imports.
    from edgerouter import app
    from edgerouter.cache.folder import FolderError
    from edgerouter.server import CannotListen

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        app.run(config, ready=ready)
    except FolderError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except CannotListen as error:
        print(error, file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(
            f"cannot listen on {config.server.host} port {config.server.port}: {error.strerror}",
            file=sys.stderr,
        )
        return REFUSED
    return GOOD


def _host(text: str) -> str:
    try:
        return host(text)
    except Mistake as mistake:
        raise argparse.ArgumentTypeError(mistake.what) from None


def port_of(text: str) -> int:
    """A port to listen on, for argparse."""
    try:
        return port(text)
    except Mistake as mistake:
        raise argparse.ArgumentTypeError(mistake.what) from None
