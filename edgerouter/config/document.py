"""YAML as plain text values with their places: no types guessed, no aliases, no tags, no duplicate keys.

`22:30`, `no` and `1.20` stay what a person wrote; the key a value stands under decides its type.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.events import AliasEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from edgerouter.config.problems import Problem, shown

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32

Place = tuple[str | int, ...]
Data = str | list["Data"] | dict[str, "Data"]

_UNPRINTABLE = re.compile(r"[^\n\t -\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
_TAGS = {
    BaseResolver.DEFAULT_SCALAR_TAG,
    BaseResolver.DEFAULT_SEQUENCE_TAG,
    BaseResolver.DEFAULT_MAPPING_TAG,
}


@dataclass(slots=True)
class Document:
    """One file: its data, the line and column (from 1) of every key and list element, and what is wrong."""

    file: str
    data: Data = ""
    marks: dict[Place, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it that is in the file."""
        while place and place not in self.marks:
            place = place[:-1]
        return self.marks.get(place, (1, 1))[0]

    def problem(self, place: Place, what: str, fix: str = "") -> Problem:
        return Problem(self.file, self.line(place), dotted(place), what, fix)


def dotted(place: Place) -> str:
    """A place as people write it: `upstreams.hospital-a.aliases[0]`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def read(path: Path) -> Document:
    """The file's document; what cannot be read is a problem in it, never an exception."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _broken(file, 0, f"cannot be read: {error.strerror}")
    if len(raw) > MAX_BYTES:
        return _broken(file, 0, "is larger than 1 MiB", "split the rules over several files")
    try:
        return parse(raw.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _broken(file, line, "is not UTF-8", "save the file as UTF-8")


def parse(text: str, file: str) -> Document:
    """The document of a YAML text; syntax errors are problems in it."""
    try:
        node = _Composer(text).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _broken(file, line, "a character that YAML does not allow", "remove it")
    except _Refused as error:
        return _broken(file, error.line, error.what, error.fix)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        return _broken(file, _line(mark), f"not YAML: {what}", "check indentation and quotes")
    except (ValueError, OverflowError):  # PyYAML lets chr() fail on "\UFFFFFFFF"
        return _broken(file, 1, "not YAML: an escape sequence names no character")
    document = Document(file)
    if node is not None:
        document.data = _data(node, (), document)
    return document


def _broken(file: str, line: int, what: str, fix: str = "") -> Document:
    return Document(file, problems=[Problem(file, line, "", what, fix)])


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


class _Refused(Exception):
    """Legal YAML that a configuration may not use."""

    def __init__(self, mark: Any, what: str, fix: str) -> None:
        super().__init__(what)
        self.line = _line(mark)
        self.what = what
        self.fix = fix


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML up to the node tree, without implicit types, aliases, anchors or bottomless nesting."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: object) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(
                event.start_mark, "aliases and anchors are not allowed", "write it out, or quote the * or &"
            )
        if self._depth == MAX_DEPTH:
            raise _Refused(event.start_mark, f"nested deeper than {MAX_DEPTH}", "flatten it")
        self._depth += 1
        node: Node | None = super().compose_node(parent, index)  # type: ignore[arg-type]
        self._depth -= 1
        return node


def _data(node: Node, place: Place, document: Document) -> Data:
    document.marks.setdefault(place, (node.start_mark.line + 1, node.start_mark.column + 1))
    if node.tag not in _TAGS:
        document.problems.append(document.problem(place, "tags are not allowed", "remove the !tag"))
    if isinstance(node, MappingNode):
        return {key: _data(value, (*place, key), document) for key, value in _entries(node, place, document)}
    if isinstance(node, SequenceNode):
        return [_data(value, (*place, index), document) for index, value in enumerate(node.value)]
    return _text(node.value, place, document)


def _entries(node: MappingNode, place: Place, document: Document) -> Iterator[tuple[str, Node]]:
    for key, value in node.value:
        mark = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, ScalarNode):
            what = "a key must be a word"
            document.problems.append(Problem(document.file, mark[0], dotted(place), what, "quote it"))
            continue
        name = _text(key.value, place, document)
        if (*place, name) in document.marks:
            first = document.line((*place, name))
            what = f"{shown(name)} is written twice, first on line {first}"
            document.problems.append(Problem(document.file, mark[0], dotted(place), what, "keep one"))
            continue
        document.marks[(*place, name)] = mark
        yield name, value


def _text(text: str, place: Place, document: Document) -> str:
    """Lone surrogates and controls (from escapes) cannot be printed, opened or sent."""
    clean = _UNPRINTABLE.sub("?", text)
    if clean == text:
        return text
    document.problems.append(document.problem(place, "holds a control character", "remove the escape"))
    return clean
