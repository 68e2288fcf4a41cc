"""edgerouter cache: what the cache holds, and what an operator does about it."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from edgerouter.cli.cache_told import pinned, pins, purged, stats, stopped, studies, verified
from edgerouter.cli.common import GOOD, REFUSED, add_config, load_or_report
from edgerouter.cli.reach import Document, Reached, Unreachable, reach
from edgerouter.cli.steps import Steps
from edgerouter.config import Config
from edgerouter.config.problems import Mistake
from edgerouter.config.values import duration, size
from edgerouter.dicomweb.resource import is_uid

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers

# Whether what was found is good, and the lines that tell it.
Told = tuple[bool, Iterator[str]]
ORDERS = ("used", "bytes", "units", "date", "study", "upstream")


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser("cache", help="look at the cache, pin, purge and verify")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_stats, _add_ls, _add_purge, _add_pin, _add_unpin, _add_verify):
        add(commands)


def _command(parsers: "Parsers", name: str, help: str, run: Callable[..., int]) -> argparse.ArgumentParser:
    parser = parsers.add_parser(name, help=help)
    add_config(parser)
    parser.add_argument("--upstream", metavar="NAME", help="at this upstream only")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=partial(run, parser))
    return parser


def _add_stats(parsers: "Parsers") -> None:
    parser = parsers.add_parser("stats", help="how full it is, and what happened")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=partial(_stats, parser))


def _add_ls(parsers: "Parsers") -> None:
    parser = _command(parsers, "ls", "the studies in it", _ls)
    parser.add_argument("--sort", choices=ORDERS, default="used", help="by last use (used)")
    parser.add_argument("--limit", type=_count, default=50, metavar="N", help="so many (50); 0 for all")
    parser.add_argument("--patient", action="store_true", help="show whose they are")


def _add_purge(parsers: "Parsers") -> None:
    parser = _command(parsers, "purge", "take studies out: those that all of these hold for", _purge)
    parser.add_argument("--study", metavar="UID", type=_uid)
    parser.add_argument("--patient", metavar="ID", help="PatientID; - reads it from standard input")
    parser.add_argument("--issuer", metavar="TEXT", help="whose PatientID it is")
    parser.add_argument("--unused-for", metavar="30d", type=_duration, help="not used for so long")
    parser.add_argument("--stored-before", metavar="30d", type=_duration, help="holding what is older")
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument(
        "--wait", metavar="60s", type=_duration, default=60.0, help="for those who read to end"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _add_pin(parsers: "Parsers") -> None:
    parser = _command(parsers, "pin", "keep a study, or what a query finds; without more, list pins", _pin)
    parser.add_argument(
        "what", nargs="?", metavar="UID|QUERY", help="as 'ModalitiesInStudy=CT&StudyDate=today-7-'"
    )


def _add_unpin(parsers: "Parsers") -> None:
    parser = _command(parsers, "unpin", "take a pin back", _unpin)
    parser.add_argument("what", metavar="UID|QUERY", help="as it was pinned")


def _add_verify(parsers: "Parsers") -> None:
    parser = _command(parsers, "verify", "check every digest, and remove what is damaged", _verify)
    parser.add_argument("--study", metavar="UID", type=_uid)
    parser.add_argument("--rate", metavar="'50 MB'", type=_size, help="read no more in a second (50 MB)")
    parser.add_argument("--stop", action="store_true", help="end the one that goes on in the router")


def _stats(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    return _carried_out(arguments, "stats", {}, _good(stats))


def _ls(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    asked = {
        "upstream": arguments.upstream,
        "order": arguments.sort,
        "limit": arguments.limit or None,
        "patients": arguments.patient,
    }
    return _carried_out(arguments, "ls", asked, _good(studies))


def _purge(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    patient = sys.stdin.readline().strip() if arguments.patient == "-" else arguments.patient
    chosen = {
        "study": arguments.study,
        "upstream": arguments.upstream,
        "patient": patient,
        "issuer": arguments.issuer,
        "unused_for": arguments.unused_for,
        "stored_before": arguments.stored_before,
    }
    given = {name for name, value in chosen.items() if value is not None}
    if bool(given) is arguments.all:
        parser.error("say which studies, or --all")
    if given <= {"upstream"} and not _agreed(parser, arguments):
        print("nothing was purged", file=sys.stderr)
        return REFUSED

    def told(found: Document, config: Config) -> Told:
        return not (found["unknown"] or found["busy"]), purged(found)

    asked = {**chosen, "everything": arguments.all, "wait": arguments.wait}
    return _carried_out(arguments, "purge", asked, told)


def _agreed(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> bool:
    """Whether everything, of an upstream or of all, is really meant."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        parser.error("this takes everything: say --yes")
    whose = f" of {arguments.upstream}" if arguments.upstream else ""
    return input(f"Take everything{whose} out of the cache? [y/N] ").strip().lower() in ("y", "yes")


def _pin(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    if arguments.what is None:
        return _carried_out(arguments, "pins", {}, _good(pins))
    return _carried_out(arguments, "pin", _pinning(arguments), _good(pinned))


def _unpin(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    return _carried_out(arguments, "unpin", _pinning(arguments), _good(pinned))


def _pinning(arguments: argparse.Namespace) -> Document:
    kind = "study" if is_uid(arguments.what) else "query"
    return {kind: arguments.what, "upstream": arguments.upstream}


def _verify(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    if arguments.stop:
        return _carried_out(arguments, "stop", {}, lambda found, _: (found["was_running"], stopped(found)))
    asked = {"study": arguments.study, "upstream": arguments.upstream, "rate": arguments.rate}

    def told(found: Document, config: Config) -> Told:
        return found["ended"] == "done" and not found["damaged"], verified(found)

    return _carried_out(arguments, "verify", asked, told)


def _good(lines: Callable[[Document, Config], Iterator[str]]) -> Callable[[Document, Config], Told]:
    return lambda found, config: (True, lines(found, config))


def _carried_out(
    arguments: argparse.Namespace, command: str, asked: Document, told: Callable[[Document, Config], Told]
) -> int:
    """Run one command wherever the cache can be reached, and say what came of it."""
    config = load_or_report(arguments.config, sys.stderr)
    if config is None:
        return REFUSED
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    given = {name: value for name, value in asked.items() if value is not None}
    steps = Steps(sys.stderr)

    def tell(progress: Document) -> None:
        steps(progress["what"], progress["done"], progress["of"])

    try:
        reached: Reached = reach(config)
        print(f"cache: {reached.where}", file=sys.stderr)
        found = reached.call(command, given, tell)
    except Unreachable as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted: what a running router has begun goes on there", file=sys.stderr)
        return REFUSED
    is_good, lines = told(found, config)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines))
    return GOOD if is_good else REFUSED


def _read(read: Callable[[object], Any], text: str) -> Any:
    try:
        return read(text)
    except Mistake as mistake:
        raise argparse.ArgumentTypeError(f"{mistake.what}; {mistake.fix}") from None


def _duration(text: str) -> float:
    return float(_read(duration, text))


def _size(text: str) -> int:
    return int(_read(size, text))


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError("write a number")
    return int(text)


def _uid(text: str) -> str:
    if not is_uid(text):
        raise argparse.ArgumentTypeError("is not a UID")
    return text
