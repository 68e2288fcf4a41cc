"""What became of one upstream's share of a search (law 5): its rows, and what it could not say."""

from dataclasses import dataclass, field

from edgerouter.dicomweb.rows import Row
from edgerouter.errors import Refused, RouterError


@dataclass(slots=True)
class Source:
    """What became of one upstream's share of a search.

    `pages` counts its answers; with an `error` the rows of those before it still count. `absent` is a 404
    for the study or series searched in; `truncated` means that it has more rows than were taken,
    `unusable` counts those without a UID; `resting` sources were not asked."""

    name: str
    rows: list[Row] = field(default_factory=list)
    error: RouterError | None = None
    pages: int = 0
    absent: bool = False
    truncated: bool = False
    unusable: int = 0
    resting: bool = False
    held: int = 0
    """How many of the rows are of what is held of it here, as it did not answer."""
    warnings: list[str] = field(default_factory=list)
    told: dict[str, None] = field(default_factory=dict)
    """What its profile has to say of the search, word for word."""
    unmatched: set[str] = field(default_factory=set)
    """Keys, by keyword, that it neither matches nor returns."""

    @property
    def answered(self) -> bool:
        return self.error is None or self.pages > 0 or self.held > 0

    @property
    def silent(self) -> bool:
        """Whether it could not answer, so that what is held of it may stand in. One that refuses did answer:
        it may have changed its mind about us (law 8)."""
        return self.error is not None and self.error.status >= 500 and not isinstance(self.error, Refused)

    @property
    def outcome(self) -> str:
        """A word for logs, metrics and people: answered, or why not."""
        if self.error is None:
            return "answered"
        if self.resting:
            return "resting"
        if isinstance(self.error, Refused):
            return "unauthorized"
        words = {403: "unauthorized", 429: "overloaded", 503: "overloaded", 504: "timeout"}
        return words.get(self.error.status, "error")
