"""What Proxy-Status says of a failure, and that it is a legal field whatever the names in it."""

import pytest

from edgerouter import errors
from edgerouter.http.proxy_status import proxy_status


def test_an_upstream_s_own_refusal_is_told_as_received() -> None:
    refusal = errors.Received(409, upstream="hospital-a")

    assert proxy_status(refusal).startswith("edgerouter; received-status=409; next-hop=hospital-a; details=")


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("a", "a"),
        ("1a", '"1a"'),
        ("my archive", '"my archive"'),
        ('a"\\b', '"a\\"\\\\b"'),
        ("ä\r\n", '"???"'),
    ],
)
def test_proxy_status_is_always_a_legal_structured_field(upstream: str, said: str) -> None:
    value = proxy_status(errors.ConnectError('no "way"\r\n', upstream=upstream))

    assert value == f'edgerouter; error=destination_unavailable; next-hop={said}; details="no \\"way\\"??"'


def test_an_error_that_names_no_upstream_is_told_of_the_one_that_was_asked() -> None:
    assert "; next-hop=north; " in proxy_status(errors.Overloaded("It rests."), "north")
