"""Matches of a snapshot on disk: in a file without a name, which is gone with whoever has it open."""

import asyncio
import os
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerouter.dicomweb.merge import Group, Match
from edgerouter.dicomweb.rows import Row

_BUFFER = 1 << 20


class _Kept(msgspec.Struct, array_like=True, gc=False):
    """One match as it is written; `order` is None for a row that one source has alone."""

    rows: tuple[Row, ...]
    order: str | None
    conflict: bool


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class Spilled:
    """A list of matches in a file; `size` is its bytes. It can be read by several at a time."""

    def __init__(self, file: int, ends: "array[int]") -> None:
        self._file = file
        self._ends = ends  # of each match, in the file

    def __del__(self) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    async def page(self, places: range) -> list[Match]:
        """The matches at these places, which follow each other; raises OSError."""
        return await asyncio.to_thread(self._read, places) if places else []

    def _read(self, places: range) -> list[Match]:
        begins = [self._ends[place - 1] if place else 0 for place in places]
        ends = self._ends[places.start : places.stop]
        data = os.pread(self._file, ends[-1] - begins[0], begins[0])
        if len(data) != ends[-1] - begins[0]:
            raise OSError("the file is shorter than what was written")
        first = begins[0]
        pairs = zip(begins, ends, strict=True)
        return [_match(_decoder.decode(data[begin - first : end - first])) for begin, end in pairs]


async def spill(matches: Sequence[Match], folder: Path | None) -> Spilled:
    """Write the matches into a file in that folder, or in the system's for such files; raises OSError."""
    return await asyncio.to_thread(_written, matches, folder)


def _written(matches: Sequence[Match], folder: Path | None) -> Spilled:
    ends: array[int] = array("Q")
    with tempfile.TemporaryFile(dir=folder, buffering=_BUFFER) as file:  # 0600
        for match in matches:
            file.write(_encoder.encode(_kept(match)))
            ends.append(file.tell())
        file.flush()
        return Spilled(os.dup(file.fileno()), ends)


def _kept(match: Match) -> _Kept:
    if isinstance(match, Row):
        return _Kept((match,), None, False)
    return _Kept(match.rows, match.order, match.conflict)


def _match(kept: _Kept) -> Match:
    if kept.order is None:
        return kept.rows[0]
    return Group(kept.rows, kept.order, kept.conflict)
