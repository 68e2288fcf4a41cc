"""Forwarding fields are believed from trusted hops only, and never reach an answer unchecked."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.errors import BadRequest
from edgerouter.http.fields import Fields
from edgerouter.http.forwarded import Trust, client_address, is_authority, public_base

TRUST = Trust(["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"])
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"


def base(
    *pairs: tuple[str, str],
    peer: str = PROXY,
    host: str = "inner:8080",
    public_url: str | None = None,
    base_path: str = "/dicomweb",
) -> str:
    return public_base(
        public_url,
        scheme="http",
        host=host,
        fields=Fields(pairs),
        peer=peer,
        trusted=TRUST,
        base_path=base_path,
    )


def client(*pairs: tuple[str, str], peer: str = PROXY) -> str:
    return client_address(peer, Fields(pairs), TRUST)


def xff(value: str) -> tuple[str, str]:
    return ("x-forwarded-for", value)


def forwarded(value: str) -> tuple[str, str]:
    return ("forwarded", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("198.51.100.66, 198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("198.51.100.66, 198.51.100.1, 10.0.0.3, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("unknown, 10.0.0.2", "10.0.0.2"),
        ("198.51.100.1, nonsense", PROXY),
        ("1.2.3.4.5", PROXY),
        ("", PROXY),
        (" , ", PROXY),
    ],
)
def test_the_client_is_the_first_untrusted_hop_from_the_right(value: str, expected: str) -> None:
    assert client(xff(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=198.51.100.1", "198.51.100.1"),
        ('for="198.51.100.1:4711";proto=https;by=10.0.0.1', "198.51.100.1"),
        ('For="[2001:db8::1]:443"', "2001:db8::1"),
        ("for=198.51.100.66, for=198.51.100.1, for=10.0.0.2", "198.51.100.1"),
        ('for="198.51.100.66, for=10.0.0.2"', PROXY),
        ('for="\\198.51.100.1"', "198.51.100.1"),
        ("for=_hidden", PROXY),
        ("for=unknown, for=10.0.0.2", "10.0.0.2"),
        ("proto=https", PROXY),
        ("for=198.51.100.1;", "198.51.100.1"),
        ("for=198.51.100.1, , ", "198.51.100.1"),
        ("for=198.51.100.1 for=10.0.0.2", PROXY),
        ('for="198.51.100.1', PROXY),
        ("for 198.51.100.1", PROXY),
        ("", PROXY),
    ],
)
def test_the_standard_field_is_read_in_the_same_way(value: str, expected: str) -> None:
    assert client(forwarded(value)) == expected


def test_several_lines_are_one_list() -> None:
    assert client(xff("198.51.100.66"), xff("198.51.100.1"), xff("10.0.0.2")) == "198.51.100.1"


def test_a_forwarded_that_a_proxy_of_the_other_kind_let_through_is_not_believed() -> None:
    spoof = forwarded("for=127.0.0.1;host=evil.example;proto=https")

    assert client(spoof, xff("198.51.100.1")) == "198.51.100.1"
    assert base(spoof, xff("198.51.100.1")) == "http://inner:8080/dicomweb"


@pytest.mark.parametrize("peer", [STRANGER, "", "testclient", "unix:", "10.0.0.1.evil"])
def test_nobody_else_is_believed(peer: str) -> None:
    said = [xff("10.0.0.2"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil")]

    assert client(*said, peer=peer) == peer
    assert base(*said, forwarded("host=evil"), peer=peer) == "http://inner:8080/dicomweb"


def test_a_peer_may_be_written_as_a_mapped_address() -> None:
    assert client(xff("198.51.100.1"), peer="::ffff:10.0.0.1") == "198.51.100.1"


def test_the_base_is_the_host_s_when_nothing_else_is_known() -> None:
    assert base() == "http://inner:8080/dicomweb"
    assert base(peer=STRANGER) == "http://inner:8080/dicomweb"
    assert base(base_path="") == "http://inner:8080"


def test_a_configured_base_is_the_base() -> None:
    said = ("x-forwarded-host", "other.example")

    assert base(said, public_url="https://edge.example/dw/", host="a b") == "https://edge.example/dw"


def test_a_trusted_proxy_says_scheme_host_and_prefix() -> None:
    said = [
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", "edge.example"),
        ("x-forwarded-prefix", "/pacs/"),
    ]

    assert base(*said) == "https://edge.example/pacs/dicomweb"


def test_of_several_values_the_outermost_trusted_hop_s_counts() -> None:
    two_hops = xff("198.51.100.66, 198.51.100.1, 10.0.0.2")
    said = [
        ("x-forwarded-proto", "ftp, https, http"),
        ("x-forwarded-host", "evil.example, edge.example, inner"),
    ]

    assert base(two_hops, *said) == "https://edge.example/dicomweb"
    assert base(*said) == "http://inner/dicomweb"


def test_the_standard_field_says_scheme_and_host() -> None:
    strangers = "for=198.51.100.66;host=evil.example;proto=ftp"
    outer = 'for=198.51.100.1;host="edge.example:8443";proto=https'

    assert (
        base(forwarded(f"{strangers}, {outer}, for=10.0.0.2;proto=http"))
        == "https://edge.example:8443/dicomweb"
    )
    assert base(forwarded("for=198.51.100.1, for=10.0.0.2;host=a;proto=https")) == "https://a/dicomweb"


@pytest.mark.parametrize(
    "said",
    [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a/b"),
        ("x-forwarded-host", "a b"),
        ("x-forwarded-host", "user@a"),
        ("x-forwarded-host", "a:0"),
        ("x-forwarded-host", 'a"'),
        ("x-forwarded-prefix", "pacs"),
        ("x-forwarded-prefix", "/a/../b"),
        ("x-forwarded-prefix", "//evil.example"),
        ("x-forwarded-prefix", "/a b"),
        ("x-forwarded-prefix", "/a?b"),
        ("forwarded", 'host="a/b";proto=gopher'),
    ],
)
def test_what_is_not_sound_is_as_if_not_said(said: tuple[str, str]) -> None:
    assert base(said) == "http://inner:8080/dicomweb"


@pytest.mark.parametrize("host", ["", "a/b", "a b", "a\r\nb", "@", "[::1", "a:70000"])
def test_a_host_that_is_none_is_a_bad_request(host: str) -> None:
    with pytest.raises(BadRequest):
        base(host=host)


@pytest.mark.parametrize("text", ["a", "a.b:1", "a.b.", "[::1]:8080", "[2001:db8::1]", "127.0.0.1:80", "a_b"])
def test_authorities(text: str) -> None:
    assert is_authority(text)


noise = st.text(st.characters(max_codepoint=255), max_size=20) | st.text(
    "\",;=[]:. \\\r\n'" + string.digits, max_size=20
)
addresses = st.sampled_from([PROXY, STRANGER, "10.0.0.2", "::1", "unknown", "[fd00::1]:1"])
values = st.lists(noise | addresses | st.sampled_from(["for=", 'host="a', "proto=https"]), max_size=4).map(
    "".join
)
names = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix"]
pairs = st.lists(st.tuples(st.sampled_from(names), values), max_size=6)


@given(pairs)
def test_an_untrusted_peer_never_changes_anything(said: list[tuple[str, str]]) -> None:
    assert client(*said, peer=STRANGER) == STRANGER
    assert base(*said, peer=STRANGER) == "http://inner:8080/dicomweb"


@given(pairs)
def test_no_result_holds_what_could_break_out_of_a_field_or_a_link(said: list[tuple[str, str]]) -> None:
    for result in (client(*said), base(*said)):
        assert not set(result) & set("\r\n\t \"'<>\\\0")
        assert result.isascii()
