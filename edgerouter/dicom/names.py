"""Person names and wildcards, as matching compares them (PS3.4 C.2.2.2.1, C.2.2.2.4)."""

import re
import unicodedata
from functools import lru_cache

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_ACCENTS = re.compile("[\u0300-\u036f]")  # not the kana's own marks, which make other syllables
_AROUND = re.compile(r"\s*\^\s*")
_BETWEEN = re.compile(r"[\s^=,.\-]+")


def glob(pattern: str, text: str) -> bool:
    """PS3.4 C.2.2.2.4: `*` is any run of characters, `?` any one; there is no escape.

    What stands between two asterisks is looked for once, from the left: no pattern makes it backtrack.
    """
    (first, _), *rest = _parts(pattern)
    if not rest:
        return first.fullmatch(text) is not None
    found = first.match(text)
    for part, _ in rest[:-1]:
        found = found and part.search(text, found.end())
    last, length = rest[-1]
    tail = len(text) - length
    return found is not None and found.end() <= tail and last.fullmatch(text, tail) is not None


@lru_cache(maxsize=256)
def _parts(pattern: str) -> tuple[tuple[re.Pattern[str], int], ...]:
    """What stands between the asterisks of a pattern, and its length."""
    return tuple(
        (re.compile("".join("." if char == "?" else re.escape(char) for char in part), re.DOTALL), len(part))
        for part in pattern.split("*")
    )


def is_wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def fold(text: str) -> str:
    """A name without what matching ignores: case, accents, width, trailing delimiters, outer spaces."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return _AROUND.sub("^", unicodedata.normalize("NFC", plain).casefold()).strip().rstrip("^ ")


def groups(value: object) -> dict[str, str]:
    """The folded component groups of a DICOM JSON person name, non-empty ones; a string is taken apart."""
    if isinstance(value, str):
        value = dict(zip(GROUPS, value.split("="), strict=False))
    if not isinstance(value, dict):
        return {}
    return {name: fold(str(value[name])) for name in GROUPS if value.get(name)}


def name_matches(pattern: str, value: object) -> bool:
    """Whether a key matches a person name literally, but for case and accents.

    A key of one component group may match any group of the name; of a key with several, each must match
    its own.
    """
    keys = [fold(key) for key in pattern.split("=")][: len(GROUPS)]
    held = groups(value)
    if len(keys) == 1:
        return any(_group_matches(keys[0], group) for group in held.values())
    pairs = zip(GROUPS, keys, strict=False)
    return all(_group_matches(key, held.get(name, "")) for name, key in pairs if key)


def _group_matches(key: str, group: str) -> bool:
    if not is_wild(key):
        return key == group
    # DOE^* names every DOE, also one whose empty given name left no delimiter behind.
    padded = group + "^" * max(0, key.count("^") - group.count("^"))
    return glob(key, group) or glob(key, padded)


def fuzzy_matches(pattern: str, value: object) -> bool:
    """Whether every word of the key begins a word of the name, in any order and component group."""
    held = [word for group in groups(value).values() for word in _BETWEEN.split(group)]
    wanted = [word.rstrip("*") for word in _BETWEEN.split(fold(pattern)) if word.strip("*")]
    return bool(wanted) and all(any(word.startswith(key) for word in held) for key in wanted)
