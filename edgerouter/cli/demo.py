"""edgerouter demo: two hospitals with sample studies and a router over them, ready to click."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgerouter.cli.common import GOOD, REFUSED, load_or_report
from edgerouter.cli.serve import port_of, serve
from edgerouter.cli.steps import Steps

if TYPE_CHECKING:
    from edgerouter.cli.common import Parsers


def add_to(parsers: "Parsers") -> None:
    parser = parsers.add_parser("demo", help="run a router over two sample archives")
    parser.add_argument("--port", type=port_of, help="listen there instead of 8080; 0 takes any free one")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep the demo there; without, its folder is temporary"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    # However the demo is ended, its temporary folder goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _folder(arguments.folder) as folder:
            return _demo(folder, arguments.port, temporary=arguments.folder is None)
    except KeyboardInterrupt:
        return GOOD
    except OSError as error:
        print(f"cannot make the demo: {error}", file=sys.stderr)
        return REFUSED


def _demo(folder: Path, port: int | None, *, temporary: bool) -> int:
    # The other commands answer at once: they need none of what makes studies.
    from edgerouter.demo.guide import guide
    from edgerouter.demo.hospitals import furnish
    from edgerouter.server.serve import announce

    config = load_or_report(str(furnish(folder, Steps(sys.stdout))), sys.stderr)
    if config is None:
        return REFUSED

    def ready(url: str) -> None:
        announce(url)
        print(guide(url, config.server.base_path, folder, temporary=temporary), flush=True)

    return serve(config.listening(host=None, port=port), ready)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="edgerouter-demo-") as made:
        yield Path(made)
