"""Which response heads are believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.upstream.head import BadHead, Raw, framing_of
from edgerouter.upstream.seam import Framing

LENGTH = (b"Content-Length", b"5")
CHUNKED = (b"transfer-encoding", b"Chunked")


@pytest.mark.parametrize(
    ("method", "status", "raw", "expected"),
    [
        ("GET", 200, [LENGTH], (Framing.LENGTH, 5)),
        ("GET", 200, [CHUNKED], (Framing.CHUNKED, None)),
        ("GET", 200, [], (Framing.CLOSE, None)),
        ("POST", 409, [LENGTH], (Framing.LENGTH, 5)),
        ("HEAD", 200, [LENGTH], (Framing.LENGTH, 5)),
        ("HEAD", 200, [CHUNKED], (Framing.LENGTH, None)),
        ("HEAD", 200, [], (Framing.LENGTH, None)),
        ("GET", 204, [], (Framing.LENGTH, None)),
        ("GET", 204, [(b"Content-Length", b"0")], (Framing.LENGTH, 0)),
        ("GET", 304, [LENGTH], (Framing.LENGTH, 5)),
        ("GET", 304, [], (Framing.LENGTH, None)),
    ],
)
def test_the_framing_follows_from_the_head(
    method: str, status: int, raw: Raw, expected: tuple[Framing, int | None]
) -> None:
    assert framing_of(method, (1, 1), status, raw) == expected


@pytest.mark.parametrize(
    ("version", "status", "raw"),
    [
        ((1, 1), 200, [LENGTH, LENGTH]),
        ((1, 1), 200, [LENGTH, (b"content-length", b"6")]),
        ((1, 1), 200, [(b"Content-Length", b"5, 5")]),
        ((1, 1), 200, [(b"Content-Length", b"-5")]),
        ((1, 1), 200, [(b"Content-Length", b"0x5")]),
        ((1, 1), 200, [(b"Content-Length", b"5 5")]),
        ((1, 1), 200, [(b"Content-Length", b"")]),
        ((1, 1), 200, [(b"Content-Length", b"9" * 19)]),
        ((1, 1), 200, [LENGTH, CHUNKED]),
        ((1, 1), 200, [CHUNKED, CHUNKED]),
        ((1, 1), 200, [(b"Transfer-Encoding", b"gzip, chunked")]),
        ((1, 1), 200, [(b"Transfer-Encoding", b"chunked;q=1")]),
        ((1, 1), 200, [(b"Transfer-Encoding", b"")]),
        ((1, 0), 200, [CHUNKED]),
        ((1, 1), 204, [LENGTH]),
        ((1, 1), 204, [CHUNKED]),
        ((1, 1), 101, []),
        ((1, 1), 600, []),
        ((2, 0), 200, [LENGTH]),
        ((0, 9), 200, []),
        ((1, 1), 200, [(b"X A", b"b")]),
        ((1, 1), 200, [(b"", b"b")]),
        ((1, 1), 200, [(b"X-A", b"a\rb")]),
        ((1, 1), 200, [(b"X-A", b"a\x7fb")]),
        ((1, 1), 200, [(b"X-%d" % n, b"a" * 1000) for n in range(140)]),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(
    version: tuple[int, int], status: int, raw: Raw
) -> None:
    with pytest.raises(BadHead):
        framing_of("GET", version, status, raw)


NAMES = st.sampled_from([b"Content-Length", b"content-length", b"Transfer-Encoding", b"X-A", b"X:"])
VALUES = st.one_of(
    st.sampled_from([b"5", b" 5", b"chunked", b"CHUNKED\t", b"5,5", b"a\0"]), st.binary(max_size=4)
)


@given(
    st.sampled_from(["GET", "HEAD"]),
    st.integers(100, 700),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
def test_any_head_has_one_framing_or_is_refused(
    method: str, status: int, raw: list[tuple[bytes, bytes]]
) -> None:
    try:
        framing, length = framing_of(method, (1, 1), status, raw)
    except BadHead:
        return

    said = [name.lower() for name, _ in raw]
    assert said.count(b"content-length") <= 1
    assert not {b"content-length", b"transfer-encoding"} <= set(said)
    assert (length is not None) == (b"content-length" in said)
    if method == "GET" and status not in (204, 304):
        assert (framing is Framing.CHUNKED) == (b"transfer-encoding" in said)
        assert (framing is Framing.CLOSE) == (not {b"content-length", b"transfer-encoding"} & set(said))
