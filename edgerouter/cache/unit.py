"""What a unit is called and what is written beside its bytes: pure values.

The text form of a key is the diskcache key: it can be read back, so that the catalog can be rebuilt from
it, and it is checked on the way in and out, so that nothing a stranger sent makes two keys look alike.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from edgerouter.http.fields import Fields

UNSURE, CHANGED = 0.0, -1.0  # in the place of a time
SEGMENT = 1 << 20  # bytes that one digest covers
DIGEST = 16  # bytes of a digest: SHA-256, cut
KEPT_FIELDS = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-location",
    "etag",
    "last-modified",
)
_BREAK = "\x1f"
_UID = r"[0-9]+(?:\.[0-9]+)*"
_VISIBLE = r"[\x21-\x7e]"
_TEXT = re.compile(
    _BREAK.join(
        (
            rf"{_VISIBLE}{{1,200}}",
            _UID,
            rf"(?:{_UID})?",
            rf"(?:{_UID})?",
            r"(?:instance\x1f|frame\x1f[1-9][0-9]*|rendition\x1f[\x21-\x7e]+)",
            r"[\x20-\x7e]*",
            rf"(?:{_UID})?",
        )
    )
)
_LONGEST = 8192
_SEAL = 16  # bytes


class UnitKind(StrEnum):
    """The three kinds of bytes that are kept."""

    INSTANCE = "instance"  # a PS3.10 file
    FRAME = "frame"
    RENDITION = "rendition"  # rendered, thumbnail, bulkdata value: opaque


@dataclass(frozen=True, slots=True)
class UnitKey:
    """The identity of a unit: where it came from, what it is of, and in which representation.

    `which` is "" for an instance, the frame number for a frame, the canonical encoded `path?query` for a
    rendition, whose `series` and `instance` may be "". `media` and `syntax` are what really came back.
    """

    upstream: str
    study: str
    series: str
    instance: str
    kind: UnitKind
    which: str
    media: str
    syntax: str

    @property
    def text(self) -> str:
        """The reversible text form. Raises ValueError when a part could not be read back."""
        text = _BREAK.join(
            (
                self.upstream,
                self.study,
                self.series,
                self.instance,
                self.kind,
                self.which,
                self.media,
                self.syntax,
            )
        )
        if len(text) > _LONGEST or not _TEXT.fullmatch(text):
            raise ValueError("This is not the key of a unit.")
        return text

    @property
    def is_sound(self) -> bool:
        """Whether a unit can have this key: what came from outside may not be fit for one."""
        try:
            return bool(self.text)
        except ValueError:
            return False

    @classmethod
    def parse(cls, text: str) -> "UnitKey":
        """The key of a text form. Raises ValueError for anything that `text` would not have written."""
        if len(text) > _LONGEST or not _TEXT.fullmatch(text):
            raise ValueError("This is not the key of a unit.")
        upstream, study, series, instance, kind, which, media, syntax = text.split(_BREAK)
        return cls(upstream, study, series, instance, UnitKind(kind), which, media, syntax)


@dataclass(frozen=True, slots=True)
class Held:
    """A representation that the catalog believes is held; `size` in bytes, times in Unix seconds.

    `stored_at` is when the upstream was asked for it. `header_at`, of an instance, is when its header was
    last known to be what the upstream has: UNSURE when nobody knows, CHANGED when it is known not to be,
    and then it answers for its frames only. `made`: its transfer syntax was asked for by name, so that it may
    have been made of what the upstream has.
    """

    key: UnitKey
    size: int
    stored_at: float
    header_at: float = 0.0
    made: bool = False


class UnitMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written in the row beside a unit's file.

    `stored_at` is when the upstream was asked (Unix seconds): age counts from there. `fields` are of
    KEPT_FIELDS only. `validator` is the upstream's own, "" without one. `frame_table` is opaque here.
    """

    size: int
    digests: bytes  # DIGEST bytes for every SEGMENT begun
    stored_at: float
    fields: tuple[tuple[str, str], ...] = ()
    validator: str = ""
    frame_table: bytes = b""
    made: bool = False  # see Held

    @property
    def tag(self) -> str:
        """A name for exactly these bytes, fit for the inside of a strong ETag."""
        return hashlib.sha256(self.digests + self.size.to_bytes(8, "big")).hexdigest()[:32]

    def encode(self, key: str) -> bytes:
        """What is written in the row of that key, sealed: neither can be taken for another's."""
        return sealed(key, _ENCODER.encode(self))

    @classmethod
    def decode(cls, data: bytes) -> "UnitMeta":
        """Raises OSError when the bytes are not a whole meta: to the cache, damage is a missing file.

        Whether it is that of a key is for `is_sealed` to say."""
        try:
            meta = _DECODER.decode(data[:-_SEAL])
        except msgspec.MsgspecError:
            raise OSError("The row of a unit cannot be read.") from None
        if meta.size < 0 or len(meta.digests) != DIGEST * segments(meta.size):
            raise OSError("The row of a unit does not agree with itself.")
        return meta


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UnitMeta)


def segments(size: int) -> int:
    """How many segments a unit of that many bytes has."""
    return -(-size // SEGMENT)


def sealed(name: str, data: bytes) -> bytes:
    """The data, tied to the name they are kept under. A database does not notice when a bit of either
    changes, nor that an index leads to another row."""
    return data + _seal(name, data)


def is_sealed(name: str, data: object) -> bool:
    """Whether these are the bytes, seal included, that were sealed under this name."""
    return isinstance(data, bytes) and data[-_SEAL:] == _seal(name, data[:-_SEAL])


def _seal(name: str, data: bytes) -> bytes:
    return hashlib.blake2b(name.encode() + b"\0" + data, digest_size=_SEAL).digest()


def kept(fields: Fields) -> tuple[tuple[str, str], ...]:
    """The fields that may be written down: an allow-list, so no credential or cookie ever is."""
    return tuple(fields.only(KEPT_FIELDS))
