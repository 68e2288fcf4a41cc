import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.accept import MAX_RANGES, any_syntax, wishes
from edgerouter.dicomweb.media import DICOM, JSON, OCTETS, XML, ZIP, Wish
from edgerouter.dicomweb.resource import Kind, Resource, Transaction, parse
from edgerouter.errors import BadRequest, NotAcceptable

LE = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"
JLS = "1.2.840.10008.1.2.4.80"
JP2 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.202"

STUDY = parse("/studies/1.2")
SERIES = parse("/studies/1.2/series/3")
INSTANCE = parse("/studies/1.2/series/3/instances/4")
FRAME = parse("/studies/1.2/series/3/instances/4/frames/1")
FRAMES = parse("/studies/1.2/series/3/instances/4/frames/3,1")
METADATA = parse("/studies/1.2/metadata")
VALUE = parse("/studies/1.2/series/3/instances/4/bulk/00280100")
VALUES = parse("/studies/1.2/bulkdata")
PIXELDATA = parse("/studies/1.2/pixeldata")
TOKEN = parse("/bulkdata/abc")
RENDERED = parse("/studies/1.2/series/3/rendered")
THUMBNAIL = parse("/studies/1.2/thumbnail")
VOLUME = parse("/studies/1.2/series/3/renderedMPR")
SEARCH = parse("/studies")
WADO_URI = Resource(Kind.WADO_URI)


def asked(resource: Resource, *accept: str, query: str | None = None) -> list[Wish]:
    transaction = Transaction.SEARCH if resource.kind is Kind.COLLECTION else Transaction.RETRIEVE
    return list(wishes(resource, transaction, accept, query))


def test_an_instance_with_any_transfer_syntax() -> None:
    assert asked(INSTANCE, 'multipart/related; type="application/dicom"; transfer-syntax=*') == [
        Wish(DICOM, "*", True)
    ]


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom"',
        "multipart/related;type=application/dicom",
        'multipart/related; TYPE="application/dicom"; boundary=**',
        "multipart/related",
        "multipart/*",
        'multipart/related; type="*/*"',
        "*/*",
        "*; q=1",
        "",
    ],
)
def test_every_spelling_of_the_default_is_the_same_wish(accept: str) -> None:
    assert asked(STUDY, accept) == [Wish(DICOM, None, True)]


def test_a_request_without_accept_takes_the_default_unless_strict() -> None:
    assert asked(INSTANCE) == [Wish(DICOM, None, True)]
    with pytest.raises(NotAcceptable):
        wishes(INSTANCE, Transaction.RETRIEVE, [], strict=True)


def test_strict_is_content_with_the_query_parameter() -> None:
    assert wishes(INSTANCE, Transaction.RETRIEVE, [], DICOM, strict=True) == (Wish(DICOM, None, False),)


def test_one_part_alone_stands_for_one_instance_only() -> None:
    assert asked(INSTANCE, "application/dicom") == [Wish(DICOM, None, False)]
    for several in (STUDY, SERIES):
        with pytest.raises(NotAcceptable, match='Available: multipart/related; type="application/dicom"'):
            asked(several, "application/dicom")


def test_zip_is_asked_for_by_name() -> None:
    for resource in (STUDY, SERIES, INSTANCE):
        assert asked(resource, "application/zip; transfer-syntax=*") == [Wish(ZIP, "*", False)]


def test_octets_of_a_study_are_its_bulk_data_for_historical_reasons() -> None:
    assert asked(STUDY, 'multipart/related; type="application/octet-stream"') == [Wish(OCTETS, None, True)]
    with pytest.raises(NotAcceptable):
        asked(INSTANCE, 'multipart/related; type="application/octet-stream"')


def test_weasis_writes_no_spaces() -> None:
    assert asked(SERIES, 'multipart/related;type="application/dicom";transfer-syntax=*') == [
        Wish(DICOM, "*", True)
    ]


def test_ranges_are_ordered_by_q_then_as_written() -> None:
    found = asked(
        INSTANCE,
        f'multipart/related; type="application/dicom"; transfer-syntax={JP2};q=0.5;boundary=**, '
        f'application/dicom; transfer-syntax="{JLS}"',
        'multipart/related; type="application/dicom"; transfer-syntax=*; q=.2',
    )

    assert found == [
        Wish(DICOM, JLS, False, 1.0),
        Wish(DICOM, JP2, True, 0.5),
        Wish(DICOM, "*", True, 0.2),
    ]


def test_a_named_type_comes_before_a_wildcard_of_the_same_q() -> None:
    assert asked(METADATA, "*/*, multipart/related; type=application/dicom+xml") == [
        Wish(XML, None, True),
        Wish(JSON),
    ]


def test_q_0_excludes() -> None:
    assert asked(METADATA, "application/dicom+json;q=0, multipart/related; type=application/dicom+xml") == [
        Wish(XML, None, True)
    ]
    with pytest.raises(NotAcceptable):
        asked(METADATA, "application/dicom+json;q=0, */*")
    with pytest.raises(NotAcceptable):
        asked(METADATA, "application/dicom+json;q=0.000")


def test_q_0_of_a_wildcard_leaves_what_is_named() -> None:
    assert asked(METADATA, "application/dicom+json, application/*;q=0, */*;q=0") == [Wish(JSON)]


def test_q_0_of_one_transfer_syntax_leaves_the_others() -> None:
    related = 'multipart/related; type="application/dicom"'

    assert asked(INSTANCE, f"{related}; transfer-syntax={JP2};q=0, {related}; transfer-syntax=*") == [
        Wish(DICOM, "*", True)
    ]
    assert asked(INSTANCE, f"{related}; q=0, {related}; transfer-syntax={JP2}") == [Wish(DICOM, JP2, True)]


@pytest.mark.parametrize(
    "accept",
    ["application/dicom+json;q=high", "application/dicom+json;q=-1", "application/dicom+json;q=nan", "json"],
)
def test_an_invalid_range_is_ignored(accept: str) -> None:
    assert asked(METADATA, f"{accept}, multipart/related;type=application/dicom+xml;q=0.1") == [
        Wish(XML, None, True, 0.1)
    ]
    with pytest.raises(NotAcceptable):
        asked(METADATA, accept)


def test_a_q_above_1_is_1() -> None:
    assert asked(METADATA, "application/json;q=7.5") == [Wish(JSON)]


def test_other_multiparts_and_broken_roots_are_ignored() -> None:
    with pytest.raises(NotAcceptable):
        asked(
            INSTANCE,
            'multipart/form-data, multipart/related; type="dicom", multipart/related; type="multipart/x"',
        )


@pytest.mark.parametrize(
    "accept",
    [
        "application/dicom+json",
        "application/json",
        "application/dicom+json, application/json",
        "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
        'application/dicom+json, multipart/related; type="application/octet-stream"; transfer-syntax=*; '
        "transfer-syntax=*",
        "application/dicom+json; transfer-syntax=*",
        "*/*",
        "application/*",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    ],
)
@pytest.mark.parametrize("resource", [METADATA, SEARCH])
def test_metadata_and_searches_are_json_for_every_viewer(resource: Resource, accept: str) -> None:
    found = asked(resource, accept)

    assert [(wish.media, wish.transfer_syntax, wish.multipart) for wish in found] == [(JSON, None, False)]


def test_xml_comes_in_parts_but_alone_as_the_answer_to_a_store() -> None:
    with pytest.raises(NotAcceptable):
        asked(METADATA, "application/dicom+xml")
    for accept in (
        "application/dicom+xml",
        "application/xml",
        'multipart/related; type="application/dicom+xml"',
    ):
        assert wishes(SEARCH, Transaction.STORE, [accept]) == (Wish(XML),)


@pytest.mark.parametrize("accept", ["", "*/*", "application/dicom+json", "application/json"])
def test_a_store_is_answered_in_json_by_default(accept: str) -> None:
    assert wishes(STUDY, Transaction.STORE, [accept]) == (Wish(JSON),)


def test_a_store_that_takes_no_answer_we_could_give_is_refused() -> None:
    with pytest.raises(NotAcceptable):
        wishes(STUDY, Transaction.STORE, ['multipart/related; type="application/dicom"'])


# The spellings OHIF has for frames.
@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
    ],
)
def test_frames_as_ohif_asks_for_them(accept: str) -> None:
    assert asked(FRAME, accept) == [Wish(OCTETS, "*", True)]


def test_of_two_transfer_syntaxes_the_first_is_preferred() -> None:
    accept = f'multipart/related; type="image/jls"; transfer-syntax="{JLS}"; transfer-syntax="*"'

    assert asked(FRAME, accept) == [Wish("image/jls", JLS, True), Wish("image/jls", "*", True)]


def test_the_list_of_the_aws_installer() -> None:
    accept = ", ".join(
        f"multipart/related; type={media}; transfer-syntax={uid}"
        for media, uid in (("image/jphc", HTJ2K), ("image/jp2", JP2), ("image/jpeg", JPEG), (OCTETS, LE))
    )

    assert asked(FRAMES, accept) == [
        Wish("image/jphc", HTJ2K, True),
        Wish("image/jp2", JP2, True),
        Wish("image/jpeg", JPEG, True),
        Wish(OCTETS, LE, True),
    ]


def test_the_default_of_dicomweb_client_is_uncompressed_octets() -> None:
    assert asked(FRAMES, 'multipart/related; type="*/*"') == [Wish(OCTETS, None, True)]


def test_a_wildcard_of_images_is_each_pixel_type_in_its_default_syntax() -> None:
    found = asked(FRAMES, 'multipart/related; type="image/*"')

    assert found[0] == Wish("image/jpeg", None, True)
    assert len(found) == 7
    assert all(wish.media.startswith("image/") and wish.multipart for wish in found)


def test_a_wildcard_with_a_syntax_is_what_may_carry_it() -> None:
    assert asked(FRAME, f"image/*; transfer-syntax={JP2}") == [Wish("image/jp2", JP2, False)]


def test_a_syntax_the_media_type_cannot_carry_is_no_wish() -> None:
    with pytest.raises(NotAcceptable):
        asked(FRAME, f'multipart/related; type="image/jpeg"; transfer-syntax={JP2}')


def test_old_names_of_pixel_types_are_understood() -> None:
    accept = f"multipart/related; type=image/dicom+jpeg; transfer-syntax={JPEG}, image/x-jls"

    assert asked(FRAME, accept) == [Wish("image/jpeg", JPEG, True), Wish("image/jls", None, False)]


def test_one_frame_may_come_alone_and_several_may_not() -> None:
    assert asked(FRAME, "application/octet-stream; transfer-syntax=*") == [Wish(OCTETS, "*", False)]
    for several in (FRAMES, PIXELDATA, VALUES):
        with pytest.raises(NotAcceptable):
            asked(several, "application/octet-stream; transfer-syntax=*")


def test_rendered_types_are_no_frames() -> None:
    with pytest.raises(NotAcceptable):
        asked(FRAME, "image/png")


@pytest.mark.parametrize("resource", [VALUE, TOKEN])
def test_a_bulk_value_comes_alone_by_default_or_in_one_part(resource: Resource) -> None:
    assert asked(resource, "*/*") == [Wish(OCTETS, None, False), Wish(OCTETS, None, True)]
    assert asked(resource, "application/pdf") == [Wish("application/pdf", None, False)]
    assert asked(resource, 'multipart/related; type="application/octet-stream"') == [Wish(OCTETS, None, True)]


@pytest.mark.parametrize("media", [DICOM, JSON, "model/*"])
def test_a_bulk_value_is_no_dataset(media: str) -> None:
    with pytest.raises(NotAcceptable):
        asked(VALUE, media)


def test_the_query_parameter_wins_over_accept() -> None:
    ohif = 'multipart/related; type="application/octet-stream"'

    assert asked(RENDERED, ohif, query="image/jpeg") == [Wish("image/jpeg")]
    assert asked(METADATA, "*/*", query="application/dicom+json") == [Wish(JSON)]
    assert asked(RENDERED, "image/webp,image/*,*/*;q=0.8", query="image/png;q=0.5, image/gif") == [
        Wish("image/gif"),
        Wish("image/png", q=0.5),
    ]


@pytest.mark.parametrize("query", ["", "*/*", "image/*", "nonsense", "application/dicom"])
def test_a_query_parameter_that_fits_nothing_leaves_the_choice_to_accept(query: str) -> None:
    assert asked(RENDERED, "image/gif", query=query) == [Wish("image/gif")]


def test_rendered_resources_keep_their_wildcards_for_the_origin() -> None:
    assert asked(RENDERED) == [Wish("*/*")]
    assert asked(RENDERED, "image/*;q=0.8, image/avif") == [Wish("image/avif"), Wish("image/*", q=0.8)]
    assert asked(RENDERED, 'multipart/related; type="image/jpeg"') == [Wish("image/jpeg", None, True)]


def test_a_transfer_syntax_on_a_rendered_type_is_ignored() -> None:
    assert asked(RENDERED, f"image/jpeg; transfer-syntax={JPEG}") == [Wish("image/jpeg")]


def test_a_thumbnail_is_one_image() -> None:
    assert asked(THUMBNAIL, "image/jpeg") == [Wish("image/jpeg")]
    with pytest.raises(NotAcceptable):
        asked(THUMBNAIL, 'multipart/related; type="image/jpeg"')


def test_a_volume_may_be_described_in_json() -> None:
    assert asked(VOLUME, "application/dicom+json, image/png") == [Wish(JSON), Wish("image/png")]


@pytest.mark.parametrize(
    ("resource", "accept"),
    [
        (INSTANCE, "image/jpeg, application/dicom"),
        (STUDY, 'multipart/related; type="application/dicom", text/html'),
        (FRAME, "image/jpeg, application/dicom"),
        (FRAME, 'image/png, multipart/related; type="application/octet-stream"'),
        (FRAME, f"text/plain, image/jpeg; transfer-syntax={JPEG}"),
        (RENDERED, "image/jpeg, application/dicom"),
    ],
)
def test_dicom_and_rendered_types_do_not_mix(resource: Resource, accept: str) -> None:
    with pytest.raises(BadRequest):
        asked(resource, accept)


@pytest.mark.parametrize(
    ("resource", "accept"),
    [
        (FRAME, "image/jpeg, application/octet-stream"),
        (FRAME, f'image/jpeg; transfer-syntax={JPEG}, multipart/related; type="application/octet-stream"'),
        (INSTANCE, "application/dicom, image/png;q=0"),
        (INSTANCE, "text/html, application/xhtml+xml, image/avif, */*;q=0.8"),  # a browser's address bar
        (VALUE, "application/pdf, application/octet-stream"),
        (RENDERED, 'image/jpeg, multipart/related; type="application/octet-stream"'),
    ],
)
def test_what_only_looks_mixed_is_served(resource: Resource, accept: str) -> None:
    assert asked(resource, accept)


def test_wado_uri_takes_what_it_is_given() -> None:
    retrieve = Transaction.WADO_URI

    assert wishes(WADO_URI, retrieve, ["image/webp,*/*;q=0.8"]) == (Wish("image/webp"), Wish("*/*", q=0.8))
    assert wishes(WADO_URI, retrieve, ["*/*"], DICOM) == (Wish(DICOM),)
    assert wishes(WADO_URI, retrieve, []) == (Wish("*/*"),)


def test_the_root_takes_what_it_is_given() -> None:
    wadl = "application/vnd.sun.wadl+xml"

    assert wishes(parse("/"), Transaction.CAPABILITIES, [wadl]) == (Wish(wadl),)


def test_only_so_many_ranges_are_looked_at() -> None:
    assert asked(METADATA, ", ".join(["x/y"] * (MAX_RANGES - 1)), "application/json") == [Wish(JSON)]
    with pytest.raises(NotAcceptable):
        asked(METADATA, ", ".join(["x/y"] * MAX_RANGES), "application/json")


RESOURCES = [STUDY, INSTANCE, FRAME, FRAMES, METADATA, VALUE, VALUES, TOKEN, RENDERED, THUMBNAIL, SEARCH]
TYPES = [DICOM, JSON, XML, OCTETS, ZIP, "*/*", "image/*", "image/jpeg", "text/html", "multipart/related"]
MARKS = [
    "type=",
    "q=0",
    "q=0.5",
    "transfer-syntax=*",
    f"transfer-syntax={JLS}",
    ";",
    ",",
    '"',
    "\\",
    " ",
    "=",
]
WORDS = st.sampled_from(TYPES + MARKS)


@given(st.sampled_from(RESOURCES), st.lists(st.lists(WORDS).map("".join), max_size=3), st.lists(WORDS))
def test_any_accept_gives_wishes_or_a_refusal(resource: Resource, lines: list[str], query: list[str]) -> None:
    try:
        found = asked(resource, *lines, query="".join(query))
    except (NotAcceptable, BadRequest):
        return

    assert found
    assert [wish.q for wish in found] == sorted((wish.q for wish in found), reverse=True)
    assert len({(wish.media, wish.transfer_syntax, wish.multipart) for wish in found}) == len(found)
    assert all(re.fullmatch(r"[a-z*]+/[a-z0-9+*.-]+", wish.media) and 0 < wish.q <= 1 for wish in found)
    if resource not in (RENDERED, THUMBNAIL):
        assert not any(wish.media.endswith("*") for wish in found)


def test_who_names_no_syntax_may_take_any() -> None:
    assert any_syntax(asked(FRAME, "*/*")) == (Wish(OCTETS, "*", True),)
    assert any_syntax(asked(INSTANCE, "application/dicom;q=0.5")) == (Wish(DICOM, "*", q=0.5),)
    assert any_syntax(asked(SERIES, ZIP)) == (Wish(ZIP),)


def test_who_names_one_syntax_means_the_default_where_he_names_none() -> None:
    both = asked(
        INSTANCE, f'multipart/related; type="application/dicom"; transfer-syntax={JP2}', "application/dicom"
    )
    assert any_syntax(both) == tuple(both)
