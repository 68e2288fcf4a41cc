"""Text values: Specific Character Set (0008,0005) to Unicode, by pydicom's tables of character sets.

Only the tables are used. pydicom's own decoder takes any Python codec name out of a file (idna, punycode and
zlib among them) and warns through globals; here an unknown character set is the default one, and a byte that
has no meaning becomes U+FFFD, so decoding never fails.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from pydicom.charset import (
    CODES_TO_ENCODINGS,
    STAND_ALONE_ENCODINGS,
    default_encoding,
    handled_encodings,
    python_encoding,
)

DEFAULT: tuple[str, ...] = (default_encoding,)
MULTIPLE = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"})
SINGLE = frozenset({"LT", "ST", "UR", "UT"})  # a backslash in these is a character, not a delimiter
_ENCODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # what (0008,0005) applies to
_ESCAPED = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
# PS3.5 §6.1.2.5.3: at these the initial character set is in force again.
_DELIMITERS = re.compile(rb"[\\\r\n\f\t]")
_PN_DELIMITERS = re.compile(rb"[\\\r\n\f\t^=]")
_TRAILING_ONLY = frozenset({"LT", "ST", "UT", "UR", "UC", "PN"})  # leading spaces mean something in these


@lru_cache(maxsize=256)
def encodings(terms: tuple[str, ...]) -> tuple[str, ...]:
    """The Python codecs for the values of Specific Character Set; unknown terms mean the default set."""
    names = tuple(python_encoding.get(_spelled(term), default_encoding) for term in terms) or DEFAULT
    if terms and terms[0] in STAND_ALONE_ENCODINGS:
        return names[:1]
    return names


def _spelled(term: str) -> str:
    """A defined term as the standard spells it: some modalities write ISO-IR 100 or ISO 2022-IR 87."""
    if re.match(r"ISO.2022.IR.", term):
        return "ISO 2022 IR " + term[12:]
    return re.sub(r"^ISO[ -]IR", "ISO_IR", term)


def decode(raw: bytes, codecs: Sequence[str], *, vr: str) -> str:
    """The Unicode text of an encoded value, padding included."""
    if vr not in _ENCODED:
        return raw.decode(default_encoding)
    if b"\x1b" not in raw:
        return raw.decode(codecs[0], "replace")
    delimiters = _PN_DELIMITERS if vr == "PN" else _DELIMITERS
    return "".join(_fragment(piece, codecs, delimiters) for piece in _ESCAPED.findall(raw))


def _fragment(piece: bytes, codecs: Sequence[str], delimiters: re.Pattern[bytes]) -> str:
    length = 4 if piece.startswith((b"\x1b$(", b"\x1b$)")) else 3
    codec = CODES_TO_ENCODINGS.get(piece[:length])
    if codec is None or (codec not in codecs and codec != default_encoding):
        return piece.decode(codecs[0], "replace")
    if codec in handled_encodings:
        return piece.decode(codec, "replace")  # the codec itself understands the escape sequence
    piece = piece[length:]
    delimiter = delimiters.search(piece)
    end = delimiter.start() if delimiter else len(piece)
    return piece[:end].decode(codec, "replace") + piece[end:].decode(codecs[0], "replace")


def values(raw: bytes, codecs: Sequence[str], vr: str) -> list[str]:
    """The values of a text element, without padding; [] when it is empty, "" for an empty value among others.

    The backslash is looked for after decoding: in some character sets it is half of another character.
    """
    text = decode(raw, codecs, vr=vr).rstrip("\0 ")
    if not text.strip("\0 "):
        return []
    if vr in SINGLE:
        return [text]
    if vr in _TRAILING_ONLY:
        return [value.rstrip("\0 ") for value in text.split("\\")]
    return [value.strip("\0 ") for value in text.split("\\")]
