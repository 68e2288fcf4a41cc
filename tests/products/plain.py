"""Archives of which little is documented, taken at their worst: OsiriX, and Medical Connections with a base
URL of its own for each service."""

import re
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import unquote

from tests.products.product import JSON, Product, Refusal
from tests.support.steps import Reply, Seen


class Plain(Product):
    """One media range only; without a limit it forgets the offset; lists are one value; times are compared
    each for itself; there are wildcards."""

    ranges: ClassVar[frozenset[str]] = frozenset({"00080020", "00080030"})

    def check_accept(self, request: Seen, parts: list[str]) -> None:
        if request.get("accept") != JSON:
            raise Refusal(f"Accept {request.get('accept')}", 406)

    def page(self, collection: str, parameters: list[tuple[str, str]]) -> tuple[int | None, int]:
        limit, offset = super().page(collection, parameters)
        return limit, 0 if limit is None else offset

    def listed(self, text: str) -> Iterator[str]:
        for one in text.split(","):
            yield from super().listed(one)

    def equal(self, tag: str, wanted: str, found: list[str]) -> bool:
        if not wanted:
            return True
        pattern = re.escape(wanted).replace(r"\*", ".*").replace(r"\?", ".")
        return any(re.fullmatch(pattern, one) for one in found)


class MedicalConnections(Plain):
    """Searches below /qido, retrieves below /wado, uploads below /stow, and nothing anywhere else."""

    def answer(self, request: Seen, parts: list[str], query: str) -> Reply:
        service, *rest = parts
        if service == "qido":
            return super().answer(request, rest, query)
        if service == "wado-rs" and rest[-1] == "rendered":
            return Reply(body=b"picture", fields=[("Content-Type", "image/jpeg")])
        if service == "stow" and rest == ["studies"] and request.method == "POST":
            return Reply(415)
        raise Refusal(f"{unquote(request.target)} at {service}", 404)
