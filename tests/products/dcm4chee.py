"""dcm4chee-arc-light 5, by its source."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import JSON, KEYWORDS, Product, Refusal
from tests.support.hospital import Row, value
from tests.support.steps import Reply

DATE, TIME = "00080020", "00080030"
_LIMIT = re.compile(r"[1-9]\d{0,4}\Z")


class Dcm4chee(Product):
    ranges: ClassVar[frozenset[str]] = frozenset({DATE, TIME})
    limits: ClassVar[Mapping[str, tuple[int, int]]] = dict.fromkeys(
        ("studies", "series", "instances"), (1000, 99999)
    )

    def page(self, collection: str, parameters: list[tuple[str, str]]) -> tuple[int | None, int]:
        for name, text in parameters:
            if name == "limit" and not _LIMIT.match(text):
                raise Refusal(f"limit {text}")
        return super().page(collection, parameters)

    def matches(self, row: Row, keys: list[tuple[str, str]]) -> bool:
        """A date range and a time range are one interval; a zone moves nothing, since no row has one."""
        given = dict(keys)
        date, time = (unquote(given.get(tag, "")) for tag in (DATE, TIME))
        given.pop("00080201", None)
        if "-" in date and "-" in time:
            del given[DATE], given[TIME]
            firsts, lasts = zip(date.split("-"), time.split("-"), strict=True)
            moment = value(row, DATE) + value(row, TIME)
            if not f"{firsts[0]}{firsts[1]:0<6}" <= moment <= f"{lasts[0]}{lasts[1]:0<6}":
                return False
        return super().matches(row, list(given.items()))

    def holds(self, row: Row, tag: str, text: str) -> bool:
        """The raw value is divided at commas, and decoded afterwards."""
        if not text:
            return True
        return any(super(Dcm4chee, self).holds(row, tag, piece) for piece in text.split(","))

    def equal(self, tag: str, wanted: str, found: list[str]) -> bool:
        pattern = re.escape(wanted).replace(r"\*", ".*").replace(r"\?", ".")
        return any(re.fullmatch(pattern, one) for one in found)

    def listed(self, text: str) -> Iterator[str]:
        for one in unquote(text).split(","):
            yield KEYWORDS.get(one, one)

    def reply(self, rows: list[Row], left: int) -> Reply:
        if not rows:
            return Reply(204)
        fields = [("Content-Type", JSON)]
        if left > 0:
            text = f'299 pacs:8080 "There are {left} additional results that can be requested"'
            fields.append(("Warning", text))
        return Reply(body=json.dumps(rows).encode(), fields=fields)
