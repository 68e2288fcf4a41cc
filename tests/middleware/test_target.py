"""Targets with two readings are refused, and close the connection; all others pass as they are."""

from posixpath import normpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.middleware.target import ambiguity
from tests.support.raw_client import RawClient
from tests.support.wrapped import Inner, asked, standing

AMBIGUOUS = [
    "/studies/../admin",
    "/studies/./1.2",
    "/studies/..",
    "/.",
    "/studies/%2e%2e/admin",
    "/studies/%2E./admin",
    "/studies/.%2e",
    "/studies/%2e%2e%2fadmin",
    "/studies%2f1.2",
    "/studies%5c1.2",
    "/studies\\1.2",
    "/studies//1.2",
    "//evil.example/studies",
    "/studies;a=b",
    "/studies%3ba",
    "/studies/1.2%00",
    "/studies/1.2%0d%0aX:y",
    "/studies/1.2%1b",
    "/studies/1.2%7f",
    "/studies/%252e%252e/admin",
    "/studies%252f",
    "/studies/%c0%ae%c0%ae/admin",
    "/studies/%ff",
    "/studies/%zz",
    "/studies/%2",
    "/studies/%",
    "/studies/<script>",
    '/studies/"1"',
    "/studies/{1}",
    "/studies?PatientName=a%0d%0ab",
    "/studies?PatientName=%00",
]

PLAIN = [
    "/",
    "/studies",
    "/studies/",
    "/studies/1.2/series/3.4/instances/5.6/frames/1,2",
    "/studies/1.2/series/3.4/instances/5.6/frames/1%2C2",
    "/studies/1.2/...",
    "/studies/1.2/a..b",
    "/studies/%C3%A4",
    "/studies/100%25",
    "/studies?PatientName=a%20b*&includefield=all",
    "/studies?StudyInstanceUID=1.2%5C1.3",
    "/studies?StudyInstanceUID=1.2\\1.3",
    "/studies?accept=application%2Fdicom%2Bjson;q=0.5",
    "/studies?x=../..//%2e%2e&y=%252F",
]


@pytest.mark.parametrize("target", AMBIGUOUS)
async def test_an_ambiguous_target_never_reaches_the_application(target: str) -> None:
    app = Inner()
    async with standing(app) as edge, RawClient(edge.port) as client:
        response = await client.ask(target)

        assert response.status == 400
        assert response.get("content-type") == "application/problem+json"
        assert response.get("connection") == "close"
        assert await client.read_to_end() == b""
    assert app.scopes == []


@pytest.mark.parametrize("target", PLAIN)
async def test_a_plain_target_passes_as_it_is(target: str) -> None:
    app = Inner()

    assert (await asked(app, target=target)).status == 200
    assert app.scopes[0]["edgerouter.raw_target"] == target


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_no_path_that_passes_changes_when_dots_are_collapsed_or_it_is_decoded_again(text: str) -> None:
    target = "/" + text.replace("?", "")
    if ambiguity(target) is None:
        path = unquote(target)
        assert normpath(path) in (path, path.removesuffix("/") or "/")
        assert "\\" not in path
        assert ";" not in path
        assert path.isprintable() or any(ord(char) > 126 for char in path)
