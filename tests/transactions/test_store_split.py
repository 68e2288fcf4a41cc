"""An upload taken apart: whatever pieces it comes in, the same instances at the same places."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.part10 import ROUTING_LIMIT
from edgerouter.dicom.source import NeedMore
from edgerouter.dicomweb.multipart import Limits, MultipartReader, PartData, PartEnd, new_boundary
from edgerouter.errors import BadRequest, ContentTooLarge
from edgerouter.transactions.split import Piece, Splitter
from edgerouter.transactions.upload import MAX_PARTS, Parts

PLACES = {b"n": "north", b"s": "south", b"w": "west"}
BOUNDARY = new_boundary()


def place(data: bytes, complete: bool) -> str | None:
    """The head of a part is its length in one byte, so many bytes, and the upstream's initial."""
    size = data[0] + 2 if data else 2
    if len(data) < size and not complete:
        raise NeedMore(size)
    return PLACES.get(data[size - 1 : size])


def part(place: bytes, head: int, rest: bytes) -> bytes:
    return bytes([head]) + b"\xff" * head + place + rest


def multipart(parts: Sequence[bytes], boundary: str = "theirs") -> bytes:
    opened = b"".join(b"\r\n--%b\r\n\r\n%b" % (boundary.encode(), each) for each in parts)
    return opened + b"\r\n--%b--\r\n" % boundary.encode()


def pieces_of(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    stops = sorted({cut % (len(body) + 1) for cut in cuts} | {len(body)})
    return [body[start:stop] for start, stop in zip([0, *stops], stops, strict=False) if start < stop]


def splitter(reader: MultipartReader | None, place_of: object = place) -> Splitter:
    return Splitter(Parts(reader), place_of, BOUNDARY)  # type: ignore[arg-type]


def scattered(chunks: Iterable[bytes], reader: MultipartReader | None) -> dict[str, bytes]:
    """The bodies that an upload makes."""
    splitting = splitter(reader)
    bodies: dict[str, bytes] = {}
    pieces: list[Piece] = []
    for chunk in chunks:
        pieces += splitting.sorted(splitting.read(chunk))
    last = splitting.close()
    assert len({upstream for upstream, _ in last}) == len(last)
    for upstream, data in [*pieces, *last]:
        bodies[upstream] = bodies.get(upstream, b"") + data
    return bodies


def parts_of(body: bytes) -> list[bytes]:
    """The parts of a body; fails when it is not whole."""
    reader = MultipartReader(BOUNDARY, Limits(preamble=0))
    events = reader.feed(body)
    reader.close()
    found: list[bytes] = [b""]
    for event in events:
        if isinstance(event, PartData):
            found[-1] += event.data
        elif isinstance(event, PartEnd):
            found.append(b"")
    return found[:-1]


PARTS = st.lists(
    st.builds(
        part,
        st.sampled_from([b"n", b"s", b"w", b"x"]),
        st.integers(0, 200),
        st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n--their", b"--theirs--", b"\r\n", b"\r"])),
    ),
    min_size=1,
    max_size=12,
)


@given(PARTS, st.lists(st.integers(0, 10_000), max_size=40))
def test_the_same_parts_come_to_the_same_places_in_any_pieces(parts: list[bytes], cuts: list[int]) -> None:
    body = multipart(parts)

    bodies = scattered(pieces_of(body, cuts), MultipartReader("theirs"))

    found = {upstream: parts_of(body) for upstream, body in bodies.items()}
    by_place = {name: [each for each in parts if place(each, True) == name] for name in PLACES.values()}
    assert found == {name: theirs for name, theirs in by_place.items() if theirs}


@given(
    st.builds(part, st.sampled_from([b"n", b"x"]), st.integers(0, 99), st.binary()),
    st.lists(st.integers(0, 500)),
)
def test_an_instance_alone_is_one_part(file: bytes, cuts: list[int]) -> None:
    bodies = scattered(pieces_of(file, cuts), None)

    name = place(file, True)
    assert {upstream: parts_of(body) for upstream, body in bodies.items()} == ({name: [file]} if name else {})


def test_every_byte_alone_makes_the_same() -> None:
    parts = [part(b"n", 3, b"one"), part(b"s", 200, b"\r\n--other"), b"", part(b"n", 0, b"")]
    body = multipart(parts)

    bodies = scattered((body[at : at + 1] for at in range(len(body))), MultipartReader("theirs"))

    assert {name: parts_of(body) for name, body in bodies.items()} == {
        "north": [parts[0], parts[3]],
        "south": [parts[1]],
    }


def test_a_head_is_looked_at_again_only_when_it_has_doubled_or_enough_is_there() -> None:
    seen: list[int] = []

    def never_enough(data: bytes, complete: bool) -> str | None:
        seen.append(len(data))
        if complete or len(data) >= ROUTING_LIMIT:
            return None
        raise NeedMore(len(data) + 1)

    splitting = splitter(None, never_enough)
    for _ in range(ROUTING_LIMIT + 5000):
        assert splitting.sorted(splitting.read(b"x")) == []

    assert seen == [1 << power for power in range(17)]


def test_a_head_that_says_how_long_it_is_is_waited_for() -> None:
    seen: list[int] = []

    def at(data: bytes, complete: bool) -> str | None:
        seen.append(len(data))
        if len(data) < 5000:
            raise NeedMore(5000)
        return "north"

    splitting = splitter(None, at)
    for _ in range(60):
        splitting.sorted(splitting.read(b"x" * 100))

    assert seen == [100, 5000]


def test_of_a_placed_part_nothing_is_held_back() -> None:
    splitting = splitter(MultipartReader("theirs"))
    begin = splitting.read(b"--theirs\r\n\r\n" + part(b"n", 1, b"pixels"))
    assert splitting.looks_into(begin)
    [(_, opened)] = splitting.sorted(begin)
    more = splitting.read(b"more pixels")

    assert opened.endswith(part(b"n", 1, b"pixels"))
    assert not splitting.looks_into(more)
    assert splitting.sorted(more) == [("north", b"more pixels")]
    assert splitting.current == "north"


def test_neighbours_in_one_body_leave_as_one_piece() -> None:
    splitting = splitter(MultipartReader("theirs"))
    parts = [part(name, 0, b"") for name in (b"n", b"n", b"x", b"n", b"s", b"n")]

    pieces = splitting.sorted(splitting.read(multipart(parts)))

    assert [upstream for upstream, _ in pieces] == ["north", "south", "north"]


def test_a_body_that_was_ended_begins_again() -> None:
    splitting = splitter(MultipartReader("theirs"))
    body = multipart([part(b"n", 0, b"1"), part(b"s", 0, b"2"), part(b"n", 0, b"3"), part(b"n", 0, b"4")])
    at = body.index(b"\x00n3") - 14
    first = dict(splitting.sorted(splitting.read(body[:at])))
    first["north"] += splitting.end("north")
    second = dict(splitting.sorted(splitting.read(body[at:])))
    last = dict(splitting.close())

    assert parts_of(first["north"]) == [part(b"n", 0, b"1")]
    assert parts_of(second["north"] + last["north"]) == [part(b"n", 0, b"3"), part(b"n", 0, b"4")]
    assert parts_of(first["south"] + last["south"]) == [part(b"s", 0, b"2")]


@pytest.mark.parametrize(
    "body", [b"", b"--theirs--", b"no boundary", multipart([b"\0n"])[:-6], b"--theirs\r\nbad header\r\n\r\n"]
)
def test_what_is_no_upload_is_refused_in_the_end_at_the_latest(body: bytes) -> None:
    with pytest.raises(BadRequest):
        scattered([body] if body else [], MultipartReader("theirs"))


def test_what_was_whole_before_a_fault_has_left() -> None:
    splitting = splitter(MultipartReader("theirs"))
    sound = multipart([part(b"n", 0, b"1")])[:-4] + b"\r\n"

    assert splitting.sorted(splitting.read(sound + b"bad header\r\n\r\n"))[0][0] == "north"
    with pytest.raises(BadRequest, match="not well-formed"):
        splitting.read(b"x")


def test_one_part_too_many_is_too_many() -> None:
    splitting = splitter(MultipartReader("theirs", Limits(parts=MAX_PARTS + 1)))
    splitting.read(b"--theirs\r\n\r\n\r\n" * MAX_PARTS)

    with pytest.raises(ContentTooLarge):
        splitting.read(b"--theirs\r\n\r\n\r\n" * 2)
