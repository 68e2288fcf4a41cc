"""The engine under httpx sends what the request says, hands over what came, and nothing else."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from edgerouter.upstream.exchange import NoAnswer
from edgerouter.upstream.seam import Framing
from edgerouter.upstream.transport import AiohttpTransport
from tests.support.scripted import (
    Close,
    Reply,
    Request,
    Reset,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    closed_port,
)
from tests.upstream.ask import pieces, raw

LIMITS = {"connect": 5, "read": 5, "write": 5}


async def send(
    transport: AiohttpTransport, url: str, method: str = "GET", **options: Any
) -> tuple[httpx.Response, bytes]:
    """One exchange, read to its end."""
    request = httpx.Request(method, url, extensions={"timeout": LIMITS}, **options)
    response = await transport.handle_async_request(request)
    try:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])
    finally:
        await response.aclose()


async def test_a_request_goes_out_as_it_was_built_and_nothing_is_added() -> None:
    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        path = "/a%2Cb,c/%E4%25;x=(1)/~u?PatientName=M%C3%BCller%5E%2A&n=1%2B1&m=a+b&l=1,2|3"
        await send(transport, upstream.url + path, headers=[("X-Only", "this")])

    assert bytes(upstream.wire[0]).decode() == (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{upstream.port}\r\nX-Only: this\r\n\r\n"
    )


async def test_a_store_goes_out_chunked_or_with_its_length_and_nothing_else_is_added() -> None:
    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        await send(transport, upstream.url, "POST", content=pieces(b"ab", b"", b"c"))
        await send(
            transport, upstream.url, "POST", content=pieces(b"ab", b"c"), headers={"Content-Length": "3"}
        )
        await send(transport, upstream.url, "POST", content=b"abc")
        await send(transport, upstream.url, "POST")

    fields = [{name.lower(): value for name, value in seen.fields} for seen in upstream.requests]
    assert [bytes(seen.body) for seen in upstream.requests] == [b"abc", b"abc", b"abc", b""]
    common = {"host": f"127.0.0.1:{upstream.port}", "connection": "close"}
    assert fields == [
        {"transfer-encoding": "chunked"} | common,
        {"content-length": "3"} | common,
        {"content-length": "3"} | common,
        {"content-length": "0"} | common,
    ]


async def test_cookies_are_not_kept() -> None:
    cookie = Reply(fields=[("Set-Cookie", "session=1; Path=/"), ("Set-Cookie", "b=2")])
    async with ScriptedUpstream(lambda request: [cookie]) as upstream, AiohttpTransport() as transport:
        for _ in range(2):
            await send(transport, f"{upstream.url}/studies")

    assert [seen.get("cookie") for seen in upstream.requests] == [None, None]


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login edge password secret\n")
    netrc.chmod(0o600)
    async with ScriptedUpstream(lambda request: [Reply()]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(netrc))
        async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
            await send(transport, upstream.url)

    assert proxy.connections == 0
    assert upstream.requests[0].get("authorization") is None


FRAMINGS: dict[str, tuple[Reply, tuple[Framing, int | None, bytes]]] = {
    "length": (Reply(body=b"abc"), (Framing.LENGTH, 3, b"abc")),
    "empty": (Reply(), (Framing.LENGTH, 0, b"")),
    "chunked": (Reply(body=b"abc", framing="chunked"), (Framing.CHUNKED, None, b"abc")),
    "close": (Reply(body=b"abc", framing="close"), (Framing.CLOSE, None, b"abc")),
    "204": (Reply(204), (Framing.LENGTH, None, b"")),
    "204 with length 0": (Reply(204, fields=[("Content-Length", "0")]), (Framing.LENGTH, 0, b"")),
    "304": (Reply(304, fields=[("ETag", '"a"')]), (Framing.LENGTH, None, b"")),
    "304 with a length": (Reply(304, fields=[("Content-Length", "9")]), (Framing.LENGTH, 9, b"")),
}


@pytest.mark.parametrize(("reply", "expected"), FRAMINGS.values(), ids=FRAMINGS)
async def test_the_framing_of_a_response_is_told(
    reply: Reply, expected: tuple[Framing, int | None, bytes]
) -> None:
    script: list[list[Step]] = [[Request(), reply], [Request(), Reply(body=b"after")]]
    async with ScriptedUpstream(script=script) as upstream, AiohttpTransport() as transport:
        response, body = await send(transport, upstream.url)
        _, after = await send(transport, upstream.url)

    assert (response.extensions["framing"], response.extensions["length"], body) == expected
    assert after == b"after"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_answer_to_head_has_no_body_and_keeps_its_connection(framing: str) -> None:
    async with (
        ScriptedUpstream(lambda request: [Reply(body=b"abc", framing=framing)]) as upstream,
        AiohttpTransport() as transport,
    ):
        head, nothing = await send(transport, upstream.url, "HEAD")
        _, body = await send(transport, upstream.url)

    assert (nothing, body, upstream.connections) == (b"", b"abc", 1)
    assert head.extensions["length"] == (3 if framing == "length" else None)


async def test_a_content_coding_is_not_touched() -> None:
    packed = gzip.compress(b"metadata" * 100)
    reply = Reply(body=packed, fields=[("Content-Encoding", "gzip")])
    async with ScriptedUpstream(lambda request: [reply]) as upstream, AiohttpTransport() as transport:
        response, body = await send(transport, upstream.url)

    assert (body, response.headers["content-encoding"]) == (packed, "gzip")


async def test_a_method_that_is_none_is_refused_and_nothing_is_sent() -> None:
    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await send(transport, upstream.url, "GET / HTTP/1.1\r\nX: ")

    assert upstream.connections == 0


async def test_repeated_fields_and_their_bytes_arrive_as_sent() -> None:
    said = raw("HTTP/1.1 200 OK", "Warning: 299 a", "X-Ö: no", "Content-Length: 0").replace(b"X-\xd6", b"X-O")
    said = said.replace(b": no", b": M\xfcller\xff ")
    async with (
        ScriptedUpstream(lambda request: [Send(said)]) as upstream,
        AiohttpTransport() as transport,
    ):
        response, _ = await send(transport, upstream.url)

    assert response.headers.raw[:2] == [(b"Warning", b"299 a"), (b"X-O", b"M\xfcller\xff")]


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["RST", "FIN"])
async def test_the_engine_sends_nothing_twice(end: Step) -> None:
    def answer(request: Seen) -> list[Step]:
        return [Reply()] if request.number == 1 else [end]

    async with ScriptedUpstream(answer) as upstream, AiohttpTransport() as transport:
        await send(transport, upstream.url)
        with pytest.raises(NoAnswer):
            await send(transport, upstream.url)

    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "fields",
    [{"x-a": "a\r\nX-Evil: 1"}, {"x-a": "a\nb"}, {"x-a": "a\0"}, {"x-a": b"M\xfcller"}, {"x\r\nX-Evil": "a"}],
)
async def test_fields_that_cannot_be_written_are_refused_and_nothing_is_sent(fields: Any) -> None:
    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await send(transport, upstream.url, headers=fields)

        assert (b"".join(map(bytes, upstream.wire)), transport.busy) == (b"", 0)


@pytest.mark.parametrize("length", [2, 4, 1000])
async def test_a_body_of_another_size_than_its_content_length_never_passes_for_whole(length: int) -> None:
    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await send(
                transport,
                upstream.url,
                "POST",
                content=pieces(b"ab", b"c"),
                headers={"Content-Length": str(length)},
            )

    assert not any(seen.whole for seen in upstream.requests)


@pytest.mark.parametrize("error", [ValueError("mine"), OSError("mine"), TimeoutError("mine")])
async def test_an_error_of_the_body_comes_out_as_itself_and_the_upstream_sees_a_cut(error: Exception) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"some"
        raise error

    async with ScriptedUpstream(lambda request: [Reply()]) as upstream, AiohttpTransport() as transport:
        with pytest.raises(type(error)) as caught:
            await send(transport, upstream.url, "POST", content=failing())

    assert caught.value is error
    assert [seen.whole for seen in upstream.requests] == [False]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://nowhere.invalid"])
async def test_an_upstream_that_is_not_there_is_a_connect_error(address: str) -> None:
    async with AiohttpTransport() as transport:
        with pytest.raises(httpx.ConnectError):
            await send(transport, address.format(port=closed_port()), "POST", content=pieces(b"x"))


async def test_an_ordinary_httpx_client_works_over_it() -> None:
    async with (
        ScriptedUpstream(lambda request: [Reply(body=b"n%d" % request.number)]) as upstream,
        httpx.AsyncClient(transport=AiohttpTransport(), trust_env=False) as client,
    ):
        texts = [(await client.get(upstream.url)).text for _ in range(2)]

    assert texts == ["n1", "n2"]


async def test_closing_the_transport_ends_what_is_under_way() -> None:
    script = [[Request(), Send(raw("HTTP/1.1 200 OK", "Content-Length: 9", body=b"half")), Stall()]]
    async with ScriptedUpstream(script=script) as upstream:
        transport = AiohttpTransport()
        request = httpx.Request("GET", upstream.url, extensions={"timeout": LIMITS})
        response = await transport.handle_async_request(request)
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"half"
        await transport.aclose()
        with pytest.raises(httpx.TransportError):
            await anext(chunks)
        await response.aclose()
