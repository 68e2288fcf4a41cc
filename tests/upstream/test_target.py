"""The URL of an upstream request never leaves its base, and goes out as it was written."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.errors import BadRequest
from edgerouter.upstream.target import origin, target

BASE = "https://pacs.a.example:8443/dicom-web"


@pytest.mark.parametrize(
    ("base", "path", "query", "wire"),
    [
        (BASE, "/studies", "", "/dicom-web/studies"),
        (BASE + "/", "/studies", "a=b", "/dicom-web/studies?a=b"),
        (BASE, "/studies/1.2/series/3/instances/4/frames/1,2", "", None),
        (BASE, "/studies/1/frames/1%2C2", "", None),
        (BASE, "/studies/1/bulk/~x;v=(1)!*'$&+=:@/", "", "/dicom-web/studies/1/bulk/~x;v=(1)!*'$&+=:@/"),
        (BASE, "/studies", "PatientName=M%C3%BC*&x=[a]|b^`{}\\&y=1%2C2,3", None),
        (BASE, "", "requestType=WADO", "/dicom-web?requestType=WADO"),
        ("http://a.example", "", "", "/"),
        ("http://a.example/wado/", "", "x=1", "/wado/?x=1"),
    ],
)
def test_base_path_and_query_are_put_together(base: str, path: str, query: str, wire: str | None) -> None:
    url = target(base, path, query)

    assert url.raw_path.decode() == wire or f"/dicom-web{path}" + (f"?{query}" if query else "")
    assert origin(url) == origin(base)


@pytest.mark.parametrize(
    "path",
    [
        "studies",
        "/..",
        "/studies/..",
        "/studies/../..",
        "/.",
        "/studies/./x",
        "/%2e%2e/admin",
        "/%2E%2E/admin",
        "/.%2e/admin",
        "/studies/1%2f..%2fadmin",
        "/studies%5cadmin",
        "//evil.example/x",
        "/studies//x",
        "/a\\b",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%00",
        "/a%0d%0aX: y",
        "/a\r\nX: y",
        "/a%zz",
        "/a%",
        "/ä",
        "@evil.example/",
        ":80/",
        ".evil.example/",
    ],
)
def test_a_path_that_could_name_something_else_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        target(BASE, path)


@pytest.mark.parametrize("query", ["a b", "a#b", "a\r\nb", "ä", "a\0"])
def test_a_query_that_is_not_encoded_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        target(BASE, "/studies", query)


@given(st.text(st.sampled_from("/.%2eEfF5cC0dDaA@:?#[]\\ \t1x;&=,~é"), max_size=12))
def test_whatever_the_path_the_url_stays_below_its_base(path: str) -> None:
    try:
        url = target(BASE, path)
    except BadRequest:
        return

    assert origin(url) == "https://pacs.a.example:8443"
    assert url.raw_path.decode() == f"/dicom-web{path}"
    # Resolved the way a server would, it is still below the base.
    assert httpx.URL(BASE + path).raw_path.startswith(b"/dicom-web")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.example/x", "https://a.example"),
        ("https://a.example:443/x", "https://a.example"),
        ("http://a.example:8042", "http://a.example:8042"),
        ("http://[::1]:8042/", "http://[::1]:8042"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    assert origin(url) == expected
