import pytest

from edgerouter.dicomweb.media import DICOM, JSON, OCTETS, XML
from edgerouter.dicomweb.offers import Asked, category
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction

DEFAULTS = {
    Kind.ROOT: ("*/*", False),
    Kind.COLLECTION: (JSON, False),
    Kind.DICOM: (DICOM, True),
    Kind.METADATA: (JSON, False),
    Kind.FRAMES: (OCTETS, True),
    Kind.BULKDATA: (OCTETS, False),
    Kind.PIXELDATA: (OCTETS, True),
    Kind.RENDERED: ("*/*", False),
    Kind.THUMBNAIL: ("*/*", False),
    Kind.VOLUME: ("*/*", False),
    Kind.TOKEN: (OCTETS, False),
    Kind.WADO_URI: ("*/*", False),
}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_resource_has_a_default(kind: Kind) -> None:
    resource = Resource(kind, Level.INSTANCE, frames=(1,) if kind is Kind.FRAMES else ())

    offers = list(category(resource, Transaction.RETRIEVE).offer(Asked("*/*")))

    assert offers[0] == (DEFAULTS[kind][0], None, DEFAULTS[kind][1])


def test_a_store_is_answered_in_its_own_types_whatever_it_was_sent_to() -> None:
    served = category(Resource(Kind.DICOM, Level.STUDY, "1.2"), Transaction.STORE)

    assert list(served.offer(Asked(XML))) == [(XML, None, False)]


@pytest.mark.parametrize(
    ("media", "covered"),
    [("*/*", True), ("image/*", True), ("image/jpeg", True), ("image/jpe", False), ("text/*", False)],
)
def test_a_range_covers_what_its_wildcard_lets_in(media: str, covered: bool) -> None:
    assert Asked(media).covers("image/jpeg") is covered
