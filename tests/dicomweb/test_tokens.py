from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.resource import Kind, parse
from edgerouter.dicomweb.tokens import MAX_RELATIVE, TokenBox, is_below
from edgerouter.errors import NotFound

KEY = b"k" * 32
BOX = TokenBox(KEY)
OCTETS = st.text("abcZ09-._~!$&'()*+,;=:@", min_size=1) | st.sampled_from(
    ["%2C", "%20", "%2F", "a%5Cb", "%C3%A9"]
)
RELATIVES = st.builds(
    lambda parts, query: "".join(f"/{part}" for part in parts) + (f"?{query}" if query is not None else ""),
    st.lists(OCTETS, min_size=1, max_size=4),
    st.none() | st.text("abc=&/?"),
).filter(is_below)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), RELATIVES)
def test_what_was_sealed_is_opened_again(upstream: str, relative: str) -> None:
    token = BOX.seal(upstream, relative)
    assert BOX.open(token) == (upstream, relative)
    assert parse(f"/bulkdata/{token}").kind is Kind.TOKEN
    assert token == BOX.seal(upstream, relative)


@given(st.text(max_size=100) | st.text("abcXYZ019-_", max_size=200))
def test_a_made_up_token_is_not_opened(token: str) -> None:
    assert BOX.open(token) is None


@given(RELATIVES, st.data())
def test_an_altered_token_is_not_opened(relative: str, data: st.DataObject) -> None:
    token = BOX.seal("a", relative)
    at = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.sampled_from("AB-_z=%/é"))
    altered = token[:at] + new + token[at + 1 :]
    opened = BOX.open(altered)
    # The last character may carry bits that no byte uses.
    assert opened is None or altered == token or (at == len(token) - 1 and opened == ("a", relative))


def test_a_token_of_another_key_is_not_opened() -> None:
    assert BOX.open(TokenBox(b"x" * 32).seal("a", "/b")) is None
    with pytest.raises(ValueError, match="16 bytes"):
        TokenBox(b"short")


def test_the_longest_link_makes_a_token_that_opens_and_a_longer_one_none() -> None:
    relative = "/" + "x" * (MAX_RELATIVE - 1)
    assert BOX.open(BOX.seal("hospital-a", relative)) == ("hospital-a", relative)
    with pytest.raises(ValueError, match="below"):
        BOX.seal("hospital-a", relative + "x")
    assert BOX.open("A" * 100_000) is None


@pytest.mark.parametrize(
    "relative",
    [
        "",
        "x",
        "//evil/x",
        "http://evil/",
        "/../admin",
        "/a/..",
        "/.",
        "/a/./b",
        "/%2e%2e/admin",
        "/.%2E/admin",
        "/a%2F..%2Fb",
        "/a%5C..%5Cb",
        "/..;/admin",
        "/..;x=1/admin",
        "/%2e%2e%3bx/admin",
        "/a b",
        "/a#b",
        "/a\\b",
        "/é",
        "/a\n",
        "/a%0d%0aX: y",
        "/a%00",
        "/a%7f",
        "/a%",
        "/a%zz",
        "/a?b=%0a",
        "/a?b#c",
        "/a?b c",
        "/a?é",
    ],
)
def test_nothing_that_could_leave_the_base_is_sealed(relative: str) -> None:
    assert not is_below(relative)
    with pytest.raises(ValueError, match="below"):
        BOX.seal("a", relative)


@pytest.mark.parametrize(
    "relative",
    [
        "/",
        "/a",
        "/a/",
        "/a//b",
        "/..a/.b./...",
        "/a%2Fb",
        "/a%2520b",
        "/a;v=1,2",
        "?a=b",
        "/a?b=/../c",
        "/a?",
        "/a@b:80",
    ],
)
def test_what_can_only_be_below_the_base_is_sealed(relative: str) -> None:
    assert BOX.open(BOX.seal("a", relative)) == ("a", relative)


def test_a_link_is_checked_again_when_its_token_is_opened() -> None:
    text = b"a\0/../admin"
    sealed = urlsafe_b64encode(BOX._mac(text) + text).rstrip(b"=").decode()
    assert BOX.open(sealed) is None


def test_the_target_of_a_token_is_told_to_its_own_upstream_only() -> None:
    resource = parse("/bulkdata/" + BOX.seal("a", "/files/1%2C2?offset=3&x=%2F"))
    assert BOX.target(resource.tail, "a") == ("/files/1%2C2", "offset=3&x=%2F")
    for tail, upstream in ((resource.tail, "b"), ("bulkdata/x", "a"), ("bulkdata/http:", "a")):
        with pytest.raises(NotFound):
            BOX.target(tail, upstream)
