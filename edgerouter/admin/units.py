"""Numbers as people read them: with units, in three digits, never more exact than they are of use."""

from itertools import pairwise

_STEPS = ("B", "KB", "MB", "GB", "TB", "PB")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
NOTHING = "–"


def count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def size(number: int) -> str:
    """Bytes in powers of 1000, as the configuration has them."""
    value, step = float(abs(number)), 0
    while value >= 999.5 and step < len(_STEPS) - 1:
        value, step = value / 1000, step + 1
    sign = "−" if number < 0 else ""
    return f"{sign}{_three(value) if step else int(value)} {_STEPS[step]}"


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = int(seconds)
    for (length, unit), (lesser, lesser_unit) in pairwise(_SPANS):
        if whole >= length:
            rest = whole % length // lesser
            return f"{whole // length} {unit} {rest} {lesser_unit}" if rest else f"{whole // length} {unit}"
    return f"{whole} s"


def wait(seconds: float) -> str:
    """How long an answer took."""
    if seconds < 0.9995:
        return f"{_three(seconds * 1000)} ms"
    return f"{_three(seconds)} s" if seconds < 60 else span(seconds)


def share(ratio: float) -> str:
    return f"{ratio * 100:.1f} %"


def _three(value: float) -> str:
    """Three digits, and no more than one behind the point for small ones."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}"
