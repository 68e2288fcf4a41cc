"""What is wrong with a configuration: every mistake with its place and what to do, in one report."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SUGGESTED_FROM = 64  # characters; nothing longer is a slip of the finger


class Mistake(ValueError):
    """One value is wrong: `what` is wrong with it, and `fix` is what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line of the report; `line` counts from 1, 0 where the file as a whole is meant."""

    file: str
    line: int
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = ": ".join(part for part in (place, self.where, self.what) if part)
        return f"{text}; {self.fix}" if self.fix else text


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are sorted by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def shown(text: str) -> str:
    """A value fit for one line of a report."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word as a suggestion, all of them when they are few, else nothing."""
    words = sorted(known)
    near: list[str] = []
    if len(word) <= MAX_SUGGESTED_FROM:
        near = difflib.get_close_matches(word, words, n=1)
        near = near or [known for known in words if known.lower() == word.lower()]
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(words)}" if 0 < len(words) <= 16 else ""
