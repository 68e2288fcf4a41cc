"""The stages of a body: whole, or visibly cut; and each closes the one before."""

import gzip
import logging
from collections.abc import AsyncIterator

import pytest

from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.errors import Cut, ProtocolError
from edgerouter.metrics import REGISTRY
from edgerouter.transactions.bodies import (
    PIECE,
    decoded,
    faults_of,
    gzipped,
    inflated,
    once,
    pieces,
    whole,
)
from tests.transactions.canned import CannedAnswer, joined, stream

TEXT = b"text " * 99_999


class Counted:
    """An async iterator that is no generator."""

    def __init__(self) -> None:
        self.left = 3

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise StopAsyncIteration
        return b"x"


class OddAnswer(CannedAnswer):
    def chunks(self) -> AsyncIterator[bytes]:
        return Counted()


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
async def test_a_gzipped_answer_is_decoded(coding: str) -> None:
    answer = CannedAnswer([gzip.compress(TEXT)], [("Content-Encoding", coding)])
    assert await joined(decoded(answer, "north")) == TEXT


@pytest.mark.parametrize("pairs", [[], [("Content-Encoding", "identity")]])
async def test_an_answer_without_a_coding_comes_as_it_is(pairs: list[tuple[str, str]]) -> None:
    assert await joined(decoded(CannedAnswer([b"a", b"b"], pairs), "north")) == b"ab"


async def test_a_body_need_not_be_a_generator() -> None:
    assert await joined(decoded(OddAnswer(), "north")) == b"xxx"


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_another_coding_was_not_asked_for(coding: str) -> None:
    with pytest.raises(ProtocolError):
        decoded(CannedAnswer(pairs=[("Content-Encoding", coding)]), "north")


@pytest.mark.parametrize("body", [gzip.compress(TEXT)[:-1], b"no gzip", gzip.compress(TEXT) + b"tail"])
async def test_a_gzip_stream_that_is_not_whole_is_cut(body: bytes) -> None:
    with pytest.raises(Cut):
        await joined(inflated(stream(body[:9], body[9:]), "north"))


async def test_gzipped_and_inflated_is_the_same() -> None:
    assert await joined(inflated(gzipped(stream(TEXT, b"", TEXT)), "north")) == TEXT + TEXT


async def test_a_small_body_is_taken_whole_and_no_other() -> None:
    assert await whole(stream(b"12", b"34"), 4, "north") == b"1234"
    with pytest.raises(Cut):
        await whole(stream(b"12", b"345"), 4, "north")


async def test_a_stage_that_is_left_closes_those_before() -> None:
    source = stream(gzip.compress(TEXT), b"never")
    stages = gzipped(inflated(source, "north"))
    assert await anext(stages)
    await stages.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(source)


async def test_a_body_of_one_piece() -> None:
    assert await joined(once(b"x")) == b"x"


def test_a_large_chunk_is_worked_on_in_pieces() -> None:
    parts = list(pieces(bytes(2 * PIECE + 1)))
    assert [len(part) for part in parts] == [PIECE, PIECE, 1]
    assert list(pieces(b"")) == []


def test_what_a_parser_finds_is_counted_and_logged_and_a_cut(caplog: pytest.LogCaptureFixture) -> None:
    labels = {"upstream": "faults"}
    caplog.set_level(logging.WARNING, "edgerouter")
    with pytest.raises(Cut) as cut, faults_of("faults"):
        raise JsonError("The JSON breaks off.")
    assert cut.value.upstream == "faults"
    assert REGISTRY.get_sample_value("edgerouter_upstream_malformed_total", labels) == 1
    assert "upstream faults: malformed answer: The JSON breaks off." in caplog.text


def test_another_error_passes() -> None:
    with pytest.raises(ValueError, match="other"), faults_of("north"):
        raise ValueError("other")
