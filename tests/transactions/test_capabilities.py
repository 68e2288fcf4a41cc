"""What we say of ourselves: every resource that we answer, under our own base."""

import json
from itertools import product

import pytest
from defusedxml import ElementTree

from edgerouter.dicomweb.resource import parse
from edgerouter.errors import NotAcceptable
from edgerouter.routing.facts import transaction_of
from edgerouter.transactions.capabilities import WADL, capabilities, resources, wadl
from tests.transactions.canned import PUBLIC, Pairs, inbound

NAMESPACE = "{http://wadl.dev.java.net/2009/02}"
VALUES = {"study": "1.2", "series": "3.4", "instance": "5.6", "frames": "1,2"}


def asked(accept: str | None = None, method: str = "OPTIONS", fields: Pairs = ()) -> tuple[str | None, bytes]:
    reply = capabilities(inbound("", accept, method=method, fields=fields))
    assert isinstance(reply.body, bytes)
    return reply.fields.get("content-type"), reply.body


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, WADL),
        ("*/*", WADL),
        ("application/*", WADL),
        (WADL, WADL),
        ("application/json", "application/json"),
        ("application/dicom+json;q=0.5, text/html", "application/json"),
        (f"application/json;q=0.5, {WADL}", WADL),
        (f"{WADL};q=0, application/json;q=0.1", "application/json"),
    ],
)
def test_the_form_is_the_clients_choice(accept: str | None, media: str) -> None:
    assert asked(accept)[0] == media


def test_another_form_there_is_not() -> None:
    with pytest.raises(NotAcceptable):
        asked("text/html")


def test_both_forms_name_our_base_and_the_same_resources() -> None:
    described = json.loads(asked("application/json")[1])
    tree = ElementTree.fromstring(asked(WADL)[1])
    [root] = tree.findall(f"{NAMESPACE}resources")
    assert described["base"] == root.get("base") == PUBLIC
    found = [
        (resource.get("path"), method.get("name"), method.get("id"))
        for resource in root
        for method in resource.findall(f"{NAMESPACE}method")
    ]
    assert found == [(one["path"], one["method"], one["id"]) for one in described["resources"]]
    assert len({name for _, _, name in found}) == len(found)  # ids of one document


def test_every_resource_that_is_named_is_one() -> None:
    for entry in resources():
        path = "/" + entry["path"].format(**VALUES)
        assert transaction_of(entry["method"], parse(path))
        assert entry["representations"]


def test_every_kind_at_every_level_is_named() -> None:
    named = {entry["path"] for entry in resources()}
    levels = ("studies/{study}", "studies/{study}/series/{series}")
    words = ("metadata", "bulkdata", "pixeldata", "rendered", "thumbnail")
    assert {f"{level}/{word}" for level, word in product(levels, words)} <= named


def test_a_base_is_escaped() -> None:
    assert 'base="http://x.example/a&amp;b"' in wadl("http://x.example/a&b")


def test_what_is_unchanged_is_not_sent_again() -> None:
    reply = capabilities(inbound("", method="OPTIONS"))
    etag = reply.fields.get("etag") or ""
    again = capabilities(inbound("", method="GET", fields=[("If-None-Match", etag)]))
    assert (again.status, again.body, again.fields.get("etag")) == (304, b"", etag)
    assert capabilities(inbound("", "application/json", method="OPTIONS")).fields.get("etag") != etag
