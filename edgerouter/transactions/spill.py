"""Matches of a snapshot on disk: in a file without a name, which is gone with whoever has it open."""

import os
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerouter.dicomweb.merge import Group, Match
from edgerouter.dicomweb.rows import Row

_TOGETHER = 64  # matches that are written and read together


class _Kept(msgspec.Struct, array_like=True, gc=False):
    """One match as it is written; `order` is None for a row that one source has alone."""

    rows: tuple[Row, ...]
    order: str | None
    conflict: bool


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Kept])


class Spilled:
    """A list of matches in a file; `size` is its bytes. It can be read by several at a time."""

    def __init__(self, file: int, count: int, ends: "array[int]") -> None:
        self._file = file
        self._count = count
        self._ends = ends  # of every _TOGETHER matches, in the file

    def __del__(self) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, places: range) -> list[Match]:
        """The matches at these places, which follow each other; blocks, raises OSError."""
        if not places:
            return []
        first, last = places.start // _TOGETHER, (places.stop - 1) // _TOGETHER
        found = [_match(kept) for bundle in range(first, last + 1) for kept in self._bundle(bundle)]
        return found[places.start - first * _TOGETHER : places.stop - first * _TOGETHER]

    def _bundle(self, number: int) -> list[_Kept]:
        begin = self._ends[number - 1] if number else 0
        data = os.pread(self._file, self._ends[number] - begin, begin)
        try:
            return _decoder.decode(data)
        except msgspec.DecodeError:
            raise OSError("the file is not what was written") from None


def spill(matches: Sequence[Match], folder: Path | None) -> Spilled:
    """Write the matches into a file in that folder, or in the system's for such files; blocks, raises
    OSError."""
    ends: array[int] = array("Q")
    with tempfile.TemporaryFile(dir=folder) as file:  # 0600
        for start in range(0, len(matches), _TOGETHER):
            file.write(_encoder.encode([_kept(match) for match in matches[start : start + _TOGETHER]]))
            ends.append(file.tell())
        file.flush()
        return Spilled(os.dup(file.fileno()), len(matches), ends)


def _kept(match: Match) -> _Kept:
    if isinstance(match, Row):
        return _Kept((_own(match),), None, False)
    return _Kept(tuple(map(_own, match.rows)), match.order, match.conflict)


def _own(row: Row) -> Row:
    """The row with its bytes to itself: no slice of a whole answer, which msgspec would write as if it
    were MessagePack."""
    return msgspec.structs.replace(row, raw=bytes(row.raw))


def _match(kept: _Kept) -> Match:
    if kept.order is None:
        return kept.rows[0]
    return Group(kept.rows, kept.order, kept.conflict)
