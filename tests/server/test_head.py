"""The grammar of request heads: what passes has one reading, and httptools has the same."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.server.head import Head, Refusal, check_part, read_head
from edgerouter.server.limits import Limits

LIMITS = Limits(max_head=4096, max_target=512, max_header_lines=10)
HOST = b"Host: edge.example"


def refused(raw: bytes, limits: Limits = LIMITS) -> tuple[int, str]:
    with pytest.raises(Refusal) as refusal:
        read_head(raw, limits)
    return refusal.value.status, refusal.value.reason


def head(*lines: bytes, first: bytes = b"GET /studies HTTP/1.1") -> bytes:
    return b"\r\n".join([first, HOST, *lines])


def test_a_plain_head_is_read() -> None:
    read = read_head(head(b"Accept:\t application/json  ", b"X-Empty:"), LIMITS)

    assert read.method == b"GET"
    assert read.target == b"/studies"
    assert read.length == 0
    assert read.fields[1:] == ((b"accept", b"application/json"), (b"x-empty", b""))


def test_one_empty_line_before_the_request_line_is_ignored() -> None:
    assert read_head(b"\r\n" + head(), LIMITS).target == b"/studies"
    assert refused(b"\r\n\r\n" + head()) == (400, "framing")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /\tHTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/11",
        b"GET /\x00 HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"G\x01T / HTTP/1.1",
    ],
)
def test_a_malformed_request_line_is_refused(first: bytes) -> None:
    assert refused(head(first=first)) == (400, "framing")


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0"])
def test_every_other_version_is_refused(version: bytes) -> None:
    assert refused(head(first=b"GET / " + version)) == (505, "version")


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"PRI", b"get", b"BREW"])
def test_a_method_nobody_here_knows_is_refused(method: bytes) -> None:
    assert refused(head(first=method + b" / HTTP/1.1")) == (501, "method")


@pytest.mark.parametrize(
    "target", [b"http://evil.example/admin", b"@evil/", b"edge.example:80", b"*", b"studies", b"/a#b"]
)
def test_only_the_origin_form_is_taken(target: bytes) -> None:
    assert refused(head(first=b"OPTIONS " + target + b" HTTP/1.1")) == (400, "target")


@pytest.mark.parametrize(
    "line",
    [
        b" folded",
        b"\tfolded",
        b"Name : value",
        b": value",
        b"no colon",
        b"",
        b"N\xe4me: value",
        b"Name: val\rue",
        b"Name: val\nue",
        b"Name: val\x00ue",
        b"Name: val\x1bue",
        b"Name: val\x7fue",
        b"(Name): value",
    ],
)
def test_a_malformed_field_line_is_refused(line: bytes) -> None:
    assert refused(head(line)) == (400, "framing")


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 3", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 3"),
        (b"Content-Length: 3", b"Content-Length: 3"),
        (b"Content-Length: 3", b"Content-Length: 4"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: \x0bchunked",),
        (b"Transfer-Encoding: \xa0chunked",),
        (b"Transfer-Encoding: chunked;q=1",),
        (b"Transfer-Encoding:",),
        (b"Content-Length: 3, 3",),
        (b"Content-Length: +3",),
        (b"Content-Length: -3",),
        (b"Content-Length: 0x3",),
        (b"Content-Length: 3 3",),
        (b"Content-Length: 3.0",),
        (b"Content-Length: \xb3",),
        (b"Content-Length:",),
        (b"Content-Length: " + b"9" * 19,),
        (b"Content-Length: " + b"0" * 3000,),
    ],
)
def test_doubtful_framing_is_refused(lines: tuple[bytes, ...]) -> None:
    assert refused(head(*lines, first=b"POST /studies HTTP/1.1")) == (400, "framing")


def test_the_framing_of_the_content_is_told() -> None:
    assert read_head(head(b"Content-Length: 12"), LIMITS).length == 12
    assert read_head(head(b"Transfer-Encoding: Chunked"), LIMITS).length is None


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (HOST, HOST),
        (b"Host:",),
        (b"Host: a/?x=",),
        (b"Host: a:99999",),
        (b"Host: a:0",),
        (b"Host: a:",),
        (b"Host: @evil",),
        (b"Host: user@edge",),
        (b"Host: a, b",),
        (b"Host: [::1",),
        (b"Host: [zz::1]",),
        (b"Host: a\xe4",),
        (b"Host: " + b"a" * 300,),
    ],
)
def test_anything_but_one_sound_host_is_refused(lines: tuple[bytes, ...]) -> None:
    assert refused(b"\r\n".join([b"GET / HTTP/1.1", *lines])) == (400, "host")


@pytest.mark.parametrize("host", [b"edge", b"edge.example:8080", b"127.0.0.1", b"[::1]:80", b"a_b.local."])
def test_a_sound_host_is_let_in(host: bytes) -> None:
    assert read_head(b"GET / HTTP/1.1\r\nHost: " + host, LIMITS).fields == ((b"host", host),)


def test_an_unknown_expectation_is_refused() -> None:
    assert refused(head(b"Expect: 200-maybe")) == (417, "expectation")
    assert read_head(head(b"Expect: 100-Continue"), LIMITS).length == 0


def test_too_many_lines_and_too_long_a_target_are_refused() -> None:
    assert refused(head(*[b"X: 1"] * 10)) == (431, "head-size")
    assert read_head(head(*[b"X: 1"] * 9), LIMITS).length == 0
    assert refused(head(first=b"GET /" + b"a" * 512 + b" HTTP/1.1")) == (414, "target-size")


def test_the_parser_never_sees_an_upgrade() -> None:
    plain = read_head(head(b"Connection: Upgrade", b"UPGRADE: websocket"), LIMITS).plain()

    assert plain == b"GET /studies HTTP/1.1\r\nhost: edge.example\r\nconnection: Upgrade\r\n\r\n"


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\rX", 400),
        (b"\x16\x03\x01\x00", 400),
        (b"GET /" + b"a" * 600, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 4096, 431),
    ],
)
def test_a_head_that_cannot_become_one_is_refused_early(part: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        check_part(bytearray(part), 0, LIMITS)

    assert refusal.value.status == status


def test_a_bare_line_feed_is_seen_across_two_reads() -> None:
    check_part(bytearray(b"GET / HTTP/1.1\r"), 0, LIMITS)
    check_part(bytearray(b"GET / HTTP/1.1\r\n"), 15, LIMITS)
    with pytest.raises(Refusal):
        check_part(bytearray(b"GET / HTTP/1.1\rX"), 15, LIMITS)


def test_a_refusal_is_a_small_problem_that_closes_and_is_not_kept() -> None:
    full = Refusal(503, "overload", "Full.", retry_after=1).response([(b"date", b"now")])
    bare = Refusal(400, "host", "No.").response([], bare=True)

    assert full.startswith(b"HTTP/1.1 503 Service Unavailable\r\ndate: now\r\n")
    assert b"\r\nretry-after: 1\r\n" in full
    assert b"\r\nconnection: close\r\n" in full
    assert b"\r\ncache-control: no-store\r\n" in full
    assert full.endswith(
        b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Full."}'
    )
    assert bare.endswith(b"\r\n\r\n")


class Listener:
    """What httptools makes of a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.heads = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.heads += 1


def parsed(head: Head) -> Listener:
    listener = Listener()
    httptools.HttpRequestParser(listener).feed_data(head.plain())
    return listener


noise = st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\n", b" ", b":", b"chunked", b"0", b"Host: x"])


@given(st.data())
def test_httptools_reads_every_head_that_passes_in_the_same_way(data: st.DataObject) -> None:
    lines = [b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close", b"X: y"]
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=3))
    raw = head(*chosen, first=b"POST /a?b HTTP/1.1")
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(raw)))
        raw = raw[:at] + data.draw(noise) + raw[at:]
    if b"\r\n\r\n" in raw:
        return
    try:
        read = read_head(raw, LIMITS)
    except Refusal:
        return

    seen = parsed(read)

    assert seen.heads == 1
    assert seen.url == read.target
    assert seen.fields == [field for field in read.fields if field[0] != b"upgrade"]
