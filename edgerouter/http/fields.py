"""Field sections (RFC 9110 §5): ordered, case-insensitive, immutable."""

from collections.abc import Iterable, Iterator

# RFC 9110 §7.6.1: these belong to one connection, whatever Connection says.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Fields:
    """An ordered field section; names are kept in lower case, values as received."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple((name.lower(), value) for name, value in pairs)

    @classmethod
    def from_raw(cls, raw: Iterable[tuple[bytes, bytes]]) -> "Fields":
        """From bytes as ASGI and the wire have them; ISO-8859-1 keeps every byte (RFC 9110 §5.5)."""
        return cls((name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in raw)

    def raw(self) -> list[tuple[bytes, bytes]]:
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._pairs]

    def all(self, name: str) -> list[str]:
        """Every value of the field, one entry per field line."""
        name = name.lower()
        return [value for key, value in self._pairs if key == name]

    def get(self, name: str) -> str | None:
        """The combined value (RFC 9110 §5.3: lines joined by a comma), or None when absent."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def without(self, *names: str) -> "Fields":
        gone = {name.lower() for name in names}
        return Fields((key, value) for key, value in self._pairs if key not in gone)

    def only(self, names: Iterable[str]) -> "Fields":
        """The allow-listed part, less what Connection names (RFC 9110 §7.6.1)."""
        named = {token.strip().lower() for value in self.all("connection") for token in value.split(",")}
        kept = set(names) - named - HOP_BY_HOP
        return Fields((key, value) for key, value in self._pairs if key in kept)

    def set(self, name: str, value: str) -> "Fields":
        """The same section with exactly one line of that name, at the end."""
        return Fields([*self.without(name), (name, value)])

    def add(self, name: str, value: str) -> "Fields":
        return Fields([*self._pairs, (name, value)])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower() for key, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Fields({list(self._pairs)!r})"
