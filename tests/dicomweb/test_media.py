import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.media import (
    DICOM,
    JSON,
    OCTETS,
    ZIP,
    Held,
    MediaType,
    Wish,
    best,
    content_type_of_multipart,
    multipart_content_type,
    parse,
    part_content_type,
    part_type,
    satisfies,
    split_list,
)

LE = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"
LOSSLESS = "1.2.840.10008.1.2.4.70"
JLS = "1.2.840.10008.1.2.4.80"


@pytest.mark.parametrize(
    "spelling",
    [
        'multipart/related; type="application/dicom"; boundary=**',
        "multipart/related;type=application/dicom;boundary=**",
        'Multipart/Related ; TYPE = "application/dicom" ; Boundary="**"',
    ],
)
def test_quoted_unquoted_and_capital_parameters_are_the_same(spelling: str) -> None:
    assert parse(spelling) == MediaType(
        "multipart/related", (("type", "application/dicom"), ("boundary", "**"))
    )


@pytest.mark.parametrize("text", ["", ";", "; q=1", "text", "a/b/c", "a /b", "ä/b", "image/", '"a/b"'])
def test_what_is_no_media_type_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_lone_asterisk_is_any_type() -> None:
    assert parse("*; q=.2") == MediaType("*/*", (("q", ".2"),))


def test_parameters_inside_the_quoted_type_count_as_the_outer_ones() -> None:
    media = parse(f'multipart/related; type="application/octet-stream; transfer-syntax={LE}"; boundary=b')

    assert media is not None
    assert media.get("type") == OCTETS
    assert media.get("transfer-syntax") == LE
    assert media.get("boundary") == "b"


def test_a_repeated_transfer_syntax_keeps_its_order_and_nonsense_is_dropped() -> None:
    media = parse(f'image/jls; transfer-syntax="{JLS}"; transfer-syntax=best; transfer-syntax="*"')

    assert media is not None
    assert media.transfer_syntaxes == [JLS, "*"]


def test_a_parameter_that_is_none_is_dropped() -> None:
    assert parse("a/b; ; c; =d; e f=g; h=i") == MediaType("a/b", (("h", "i"),))


def test_escapes_and_missing_closing_quotes_are_read() -> None:
    assert parse(r'a/b; c="d\"e;f"; g="h') == MediaType("a/b", (("c", 'd"e;f'), ("g", "h")))


def test_a_list_splits_at_commas_outside_quotes() -> None:
    assert split_list(r'a/b; c="d,\",e", ,f/g,') == [r'a/b; c="d,\",e"', "f/g"]
    assert split_list("a/b,c/d,e/f", 2) == ["a/b", "c/d"]


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    media = parse(text)

    assert media is None or "/" in media.essence
    assert all(element in text for element in split_list(text))
    content_type_of_multipart(text)


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1).map(str.strip))
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')

    media = parse(f'a/b; c="{quoted}"')

    assert media is not None
    assert media.get("c") == value


def test_long_hostile_values_are_read_in_linear_time() -> None:
    for piece in ('"', "\\", '"\\', ",", ";", "a/b;", '"a,', "=", " "):
        text = piece * (100_000 // len(piece))
        assert parse("a/b;c=" + text) is not None
        split_list(text)


# What Orthanc 1.10.1 (DICOMweb 1.7) answers, as recorded.
def test_orthanc_names_the_transfer_syntax_of_frames_inside_type() -> None:
    header = f'multipart/related; type="image/jpeg; transfer-syntax={LOSSLESS}"; boundary=8551e04f-69e5'

    assert content_type_of_multipart(header) == (
        MediaType("image/jpeg", (("transfer-syntax", LOSSLESS),)),
        "8551e04f-69e5",
    )


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        (
            "multipart/related; type=application/dicom; boundary=Boundary-9BB5FED5-7553",
            "Boundary-9BB5FED5-7553",
        ),
        ('multipart/related; boundary="a b:c?"; type="application/dicom"', "a b:c?"),
        ('multipart/related;boundary=----=_Part_4_1.2;type="application/dicom"', "----=_Part_4_1.2"),
        ('multipart/related; boundary=b; start="<x>"; type="application/dicom"', "b"),
    ],
)
def test_every_spelling_of_a_boundary_is_found(header: str, boundary: str) -> None:
    found = content_type_of_multipart(header)

    assert found is not None
    assert found[0] is not None
    assert (found[0].essence, found[1]) == (DICOM, boundary)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        DICOM,
        "multipart/related",
        "multipart/form-data; boundary=b",
        "multipart/related; boundary=",
        'multipart/related; boundary="b "',
        'multipart/related; boundary="a;b"',
        r'multipart/related; boundary="a\"b"',
        "multipart/related; boundary=" + "b" * 201,
        "multipart/related; boundary=a\r\nb",
    ],
)
def test_an_envelope_without_a_legal_boundary_is_none(header: str | None) -> None:
    assert content_type_of_multipart(header) is None


def test_a_boundary_may_be_as_long_as_archives_write_it() -> None:
    """Orthanc's Store client: two UUIDs and a hyphen, three characters more than RFC 2046 allows."""
    uuid = "b209e819-07d1-42cb-b9cb-3cb5a0a9ecb7"
    value = f'multipart/related; type="application/dicom"; boundary={uuid}-{uuid}'
    found = content_type_of_multipart(value)
    assert found is not None
    assert found[1] == f"{uuid}-{uuid}"


def test_an_envelope_without_a_type_has_no_root() -> None:
    assert content_type_of_multipart("multipart/related; boundary=b") == (None, "b")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"image/jls; transfer-syntax={JLS}", ("image/jls", JLS)),
        (f'image/x-jls;transfer-syntax="{JLS}"', ("image/jls", JLS)),
        ("application/dicom", (DICOM, None)),
        ("application/octet-stream; transfer-syntax=*", (OCTETS, None)),
        ("application/json; charset=utf-8", (JSON, None)),
        (None, (OCTETS, None)),
        ("nonsense", (OCTETS, None)),
    ],
)
def test_a_part_is_known_by_its_own_content_type(header: str | None, expected: Held) -> None:
    assert part_type(header) == expected


def test_what_a_part_leaves_out_comes_from_the_envelope() -> None:
    root = MediaType("image/jpeg", (("transfer-syntax", LOSSLESS),))

    assert part_type(None, root) == ("image/jpeg", LOSSLESS)
    assert part_type("image/jpeg", root) == ("image/jpeg", LOSSLESS)
    assert part_type(f"image/jpeg; transfer-syntax={JPEG}", root) == ("image/jpeg", JPEG)
    assert part_type("image/jls", root) == ("image/jls", None)


def test_we_write_a_quoted_type_and_a_bare_boundary_and_syntax() -> None:
    assert multipart_content_type(DICOM, "b") == 'multipart/related; type="application/dicom"; boundary=b'
    assert multipart_content_type(OCTETS, "b", LE) == (
        f'multipart/related; type="application/octet-stream"; transfer-syntax={LE}; boundary=b'
    )
    assert part_content_type("image/jls", JLS) == f"image/jls; transfer-syntax={JLS}"
    assert part_content_type(JSON) == JSON


@pytest.mark.parametrize(
    ("wish", "held", "expected"),
    [
        (Wish(DICOM, "*"), (DICOM, LOSSLESS), True),
        (Wish(DICOM, "*"), (DICOM, None), True),
        (Wish(DICOM), (DICOM, LE), True),
        (Wish(DICOM), (DICOM, LOSSLESS), False),
        (Wish(DICOM), (DICOM, None), False),  # file meta would tell: unknown
        (Wish(DICOM, LOSSLESS), (DICOM, LOSSLESS), True),
        (Wish(DICOM, LOSSLESS), (DICOM, JPEG), False),
        (Wish(DICOM, "*"), (ZIP, None), False),
        (Wish(OCTETS), (OCTETS, LE), True),
        (Wish(OCTETS), (OCTETS, None), True),
        (Wish(OCTETS), (OCTETS, JPEG), False),
        (Wish(OCTETS), ("image/jpeg", LOSSLESS), False),
        (Wish(OCTETS), ("application/pdf", None), True),  # an encapsulated document, by its own name
        (Wish(OCTETS), (JSON, None), False),
        (Wish(OCTETS, "*"), (OCTETS, JPEG), True),
        (Wish(OCTETS, "*"), ("image/jpeg", JPEG), True),
        (Wish(OCTETS, "*"), ("image/png", None), False),
        (Wish(OCTETS, JPEG), ("image/jpeg", JPEG), True),
        (Wish("image/jpeg"), ("image/jpeg", LOSSLESS), True),
        (Wish("image/jpeg"), ("image/jpeg", None), True),
        (Wish("image/jpeg"), ("image/jpeg", JPEG), False),
        (Wish("image/jpeg", "*"), ("image/jpeg", JPEG), True),
        (Wish("image/jpeg", "*"), ("image/jls", JLS), False),
        (Wish("image/png"), ("image/png", None), True),
        (Wish(JSON), (JSON, None), True),
        (Wish("*/*"), ("image/jpeg", None), True),
        (Wish("*/*"), ("text/html", None), True),
        (Wish("image/*"), ("image/jpeg", None), True),
        (Wish("image/*"), ("text/html", None), False),
        (Wish("image/*"), ("image/png", None), False),  # the origin would have chosen JPEG
    ],
)
def test_held_bytes_satisfy_exactly_what_was_wished(wish: Wish, held: Held, expected: bool) -> None:
    assert satisfies(wish, *held) is expected


def test_octets_of_any_syntax_may_be_held_to_their_name() -> None:
    assert not satisfies(Wish(OCTETS, "*"), "image/jpeg", JPEG, any_pixels=False)
    assert satisfies(Wish(OCTETS, "*"), OCTETS, JPEG, any_pixels=False)


def test_the_first_satisfied_wish_of_the_highest_q_wins() -> None:
    wishes = (Wish("image/jls", JLS, True), Wish(OCTETS, None, True), Wish("image/jpeg", JPEG, True, 0.5))

    assert best(wishes, [(OCTETS, LE), ("image/jpeg", JPEG)]) == (wishes[1], (OCTETS, LE))


def test_a_held_form_of_lower_q_is_a_miss_unless_nothing_better_can_be_had() -> None:
    wishes = (Wish("image/jls", JLS, True), Wish("image/jpeg", JPEG, True, 0.5))
    held = [("image/jpeg", JPEG)]

    assert best(wishes, held) is None
    assert best(wishes, held, lower_q=True) == (wishes[1], held[0])
    assert best(wishes, [], lower_q=True) is None
