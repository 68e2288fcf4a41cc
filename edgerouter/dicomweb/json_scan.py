"""JSON by its brackets (RFC 8259), over raw bytes: where a value ends, where the members of an object lie.

Nothing is decoded, so what is not changed keeps its spelling to the byte. Strings and flat containers are
skipped by one regular expression; Python sees only the brackets that nest deeper.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_DEPTH = 64

_PLAIN = rb'[^"{}\[\]]*+'
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*"'


def _nested(inner: bytes) -> bytes:
    """Text whose brackets are all inside `inner`; never fails, so it never has to go back far."""
    return _PLAIN + rb"(?:(?:" + inner + rb")" + _PLAIN + rb")*"


def _container(depth: int) -> bytes:
    inner = _STRING if depth == 1 else _STRING + rb"|" + _container(depth - 1)
    return rb"[\[{]" + _nested(inner) + rb"[\]}]"


_BUNDLED = 8  # levels skipped at once: a sequence within a sequence, down to the values of its items
_BUNDLE = _container(_BUNDLED)
_BUNDLES = re.compile(_nested(_STRING + rb"|" + _BUNDLE), re.DOTALL)
_FLAT = re.compile(_nested(_STRING), re.DOTALL)
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*', re.DOTALL)

_SPACE = rb"[ \t\n\r]*+"
_SPACES = re.compile(_SPACE)
_SIMPLE = _STRING + rb"|" + _BUNDLE + rb'|[^"{}\[\],\s]++'
_KEY = re.compile(_SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE, re.DOTALL)
_VALUE = re.compile(_SPACE + rb"(" + _SIMPLE + rb")", re.DOTALL)
_NEXT = re.compile(_SPACE + rb"([,}\]])")
_CLOSED = re.compile(_SPACE + rb"[}\]]")


class JsonError(ValueError):
    """The text is not the JSON that was expected."""


class Brackets:
    """Follows the nesting of one JSON object or array through pieces of text, by counting.

    Brackets of the wrong kind are left to whoever checks the grammar of the whole.
    """

    __slots__ = ("_depth", "_in_string")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False

    @property
    def open(self) -> bool:
        """Whether the value has begun and not ended."""
        return self._depth > 0

    def enter(self) -> None:
        """Take one opening bracket; raises JsonError beyond MAX_DEPTH."""
        if self._depth == MAX_DEPTH:
            raise JsonError(f"The JSON is nested more than {MAX_DEPTH} deep.")
        self._depth += 1

    def advance(self, text: bytes | bytearray, at: int) -> int:
        """Read on from `at` inside the value: the position after its end when `open` is False then,
        else where to go on once `text` is longer."""
        while at < len(text):
            if self._in_string:
                at = _past(_STRING_REST, text, at)
                if text[at : at + 1] != b'"':
                    return at  # a lone backslash waits for what it escapes
                self._in_string = False
                at += 1
            at = _past(_BUNDLES if self._depth <= MAX_DEPTH - _BUNDLED else _FLAT, text, at)
            if at < len(text):
                self._meet(text[at])
                at += 1
            if not self._depth:
                break
        return at

    def _meet(self, byte: int) -> None:
        if byte == ord('"'):
            self._in_string = True
        elif byte in b"{[":
            self.enter()
        else:
            self._depth -= 1


class Member(NamedTuple):
    """One member of an object: its decoded key, and the offsets of key and value in the text."""

    key: str
    start: int
    value: int
    end: int


def members(text: bytes, start: int = 0) -> Iterator[Member]:
    """The members of the object that opens at `start`, in order; raises JsonError for anything else."""
    at = _opened(text, start, b"{}")
    while at is not None:
        key = _KEY.match(text, at)
        if key is None:
            raise JsonError("The JSON object has no key where one belongs.")
        value, end = _value(text, key.end())
        yield Member(string(key[1]), key.start(1), value, end)
        at = _after(text, end, ord("}"))


def elements(text: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array that opens at `start`; raises JsonError otherwise."""
    at = _opened(text, start, b"[]")
    while at is not None:
        value, end = _value(text, at)
        yield value, end
        at = _after(text, end, ord("]"))


def past_space(text: bytes | bytearray, at: int = 0) -> int:
    """The offset of the first byte from `at` on that is not white space (len(text) when there is none)."""
    return _past(_SPACES, text, at)


def string(literal: bytes) -> str:
    """The text of a JSON string literal, quotes included; raises JsonError when it is not one."""
    try:
        decoded = literal.decode()
        return decoded[1:-1] if "\\" not in decoded else str(json.loads(decoded))
    except ValueError as error:
        raise JsonError("A JSON string is malformed.") from error


def _past(pattern: re.Pattern[bytes], text: bytes | bytearray, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _opened(text: bytes, start: int, brackets: bytes) -> int | None:
    """Where the first member begins; None when the container is empty."""
    if text[start : start + 1] != brackets[:1]:
        raise JsonError("The JSON value is not of the expected kind.")
    closed = _CLOSED.match(text, start + 1)
    return None if closed and text[closed.end() - 1] == brackets[1] else start + 1


def _value(text: bytes, at: int) -> tuple[int, int]:
    simple = _VALUE.match(text, at)
    if simple:
        return simple.start(1), simple.end(1)
    at = past_space(text, at)
    if text[at : at + 1] not in (b"{", b"["):
        raise JsonError("The JSON has no value where one belongs.")
    brackets = Brackets()
    brackets.enter()
    end = brackets.advance(text, at + 1)
    if brackets.open:
        raise JsonError("The JSON breaks off.")
    return at, end


def _after(text: bytes, at: int, closer: int) -> int | None:
    """Where the next member begins; None when the container closes."""
    following = _NEXT.match(text, at)
    if following is None or following[1][0] not in (ord(","), closer):
        raise JsonError("The JSON's members are not separated.")
    return None if following[1][0] == closer else following.end()
