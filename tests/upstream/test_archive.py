"""An archive over HTTP as its callers see it: addresses, credentials, slots, health."""

import asyncio
import logging
import traceback
from contextlib import AsyncExitStack, suppress

import pytest

from edgerouter import __version__, errors, metrics
from edgerouter.dicomweb.resource import Transaction
from edgerouter.http.fields import Fields
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.profiles import ORTHANC, STANDARD
from edgerouter.upstream.seam import Archive, Outbound
from edgerouter.upstream.target import origin
from tests.support.scripted import (
    Close,
    Note,
    Reply,
    Request,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
    closed_port,
)
from tests.upstream.ask import SHORT, archive_at, get, no_sleep, pieces, post, raw, until_cut, whole

SECRET = "Basic ZWRnZTpzZWNyZXQ="


def ok(request: Seen) -> list[Step]:
    return [Reply(body=b"n%d" % request.number)]


async def test_it_is_an_archive() -> None:
    async with archive_at("http://127.0.0.1:1", profile=ORTHANC) as archive:
        seam: Archive = archive

        assert (seam.name, seam.profile) == ("north", ORTHANC)


async def test_each_transaction_has_its_own_base() -> None:
    async with ScriptedUpstream(ok) as upstream:
        bases = {Transaction.SEARCH: f"{upstream.url}/qido/", Transaction.WADO_URI: f"{upstream.url}/wado"}
        async with HttpArchive("north", STANDARD, bases, aliases=["http://pacs:8042/dw"]) as archive:
            await whole(archive, Outbound("GET", Transaction.SEARCH, "/studies", "PatientID=1%2C2"))
            await whole(archive, Outbound("GET", Transaction.WADO_URI, "", "requestType=WADO"))

            assert [seen.target for seen in upstream.requests] == [
                "/qido/studies?PatientID=1%2C2",
                "/wado?requestType=WADO",
            ]
            assert archive.bases == (*bases.values(), "http://pacs:8042/dw")
            assert [one for one in Transaction if archive.takes(one)] == list(bases)
            with pytest.raises(errors.NotFound):
                await whole(archive, post(b"x"))


async def test_the_request_says_who_asks_and_passes_on_what_it_was_given() -> None:
    given = Fields([("accept", "application/dicom+json"), ("Via", "1.1 a, 1.0 b"), ("traceparent", "00-1")])
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        await whole(archive, Outbound("GET", Transaction.RETRIEVE, "/studies/1", fields=given))

    assert {name.lower(): value for name, value in upstream.requests[0].fields} == {
        "host": f"127.0.0.1:{upstream.port}",
        "accept": "application/dicom+json",
        "via": "1.1 a, 1.0 b",
        "user-agent": f"edgerouter/{__version__}",
        "accept-encoding": "identity",
        "traceparent": "00-1",
    }


async def test_a_coding_that_the_caller_asks_for_is_asked_for() -> None:
    given = Fields([("accept-encoding", "gzip")])
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        await whole(archive, Outbound("GET", Transaction.SEARCH, "/studies", fields=given))

    assert upstream.requests[0].all("accept-encoding") == ["gzip"]
    assert upstream.requests[0].all("via") == ["1.1 edgerouter"]


async def test_framing_host_and_credentials_are_never_the_callers() -> None:
    names = ("host", "authorization", "content-length", "transfer-encoding", "connection", "expect")
    given = Fields([(name, "chunked") for name in names])
    outbound = Outbound("POST", Transaction.STORE, "/studies", fields=given, body=b"abc")
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        await whole(archive, outbound)

    seen = upstream.requests[0]
    assert [seen.all(name) for name in names] == [
        [f"127.0.0.1:{upstream.port}"],
        [],
        ["3"],
        [],
        ["close"],
        [],
    ]


async def test_a_store_of_known_length_is_sent_with_it() -> None:
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        await whole(archive, post(pieces(b"ab", b"c"), length=3))

    seen = upstream.requests[0]
    assert (seen.get("content-length"), seen.get("transfer-encoding"), bytes(seen.body)) == (
        "3",
        None,
        b"abc",
    )


async def test_credentials_go_to_their_origin_and_to_no_other() -> None:
    async with ScriptedUpstream(ok) as own, ScriptedUpstream(ok) as other:
        bases = {Transaction.SEARCH: f"{own.url}/dw", Transaction.RETRIEVE: f"{other.url}/dw"}
        async with HttpArchive("north", STANDARD, bases, credentials={origin(own.url): SECRET}) as archive:
            await whole(archive, Outbound("GET", Transaction.SEARCH, "/studies"))
            await whole(archive, get())

    assert (own.requests[0].get("authorization"), other.requests[0].get("authorization")) == (SECRET, None)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_of_our_credentials_is_the_operators_matter(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = Reply(status, fields=[("WWW-Authenticate", "Basic")])
    async with (
        ScriptedUpstream(lambda request: [refusal]) as upstream,
        archive_at(upstream.url, credentials={upstream.url: SECRET}) as archive,
    ):
        with pytest.raises(errors.Refused) as caught:
            await whole(archive)

        assert (caught.value.status, archive.limiter.busy) == (502, 0)
    assert [record.getMessage() for record in caplog.records] == [
        f"upstream north refuses our credentials: status {status}"
    ]


async def test_without_credentials_of_ours_a_refusal_is_an_answer() -> None:
    refusal = Reply(401, fields=[("WWW-Authenticate", "Basic")])
    async with ScriptedUpstream(lambda request: [refusal]) as upstream, archive_at(upstream.url) as archive:
        got = await whole(archive)

    assert (got.status, got.fields.get("www-authenticate")) == (401, "Basic")


async def test_neither_logs_nor_errors_name_patients_addresses_or_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    urls = [f"http://127.0.0.1:{closed_port()}"]
    async with ScriptedUpstream(lambda request: [Stall()]) as upstream:
        urls.append(upstream.url)
        for url in urls:
            times = Timeouts(first_byte=SHORT, store_answer=SHORT)
            async with archive_at(url, credentials={url: SECRET}, timeouts=times) as archive:
                for outbound in [get("/studies/1.2.3", "PatientName=Roe"), post(b"instance")] * 3:
                    with pytest.raises(errors.UpstreamError) as caught:
                        await whole(archive, outbound)
                    said += [caught.value.detail, str(archive.health)]
                    said += traceback.format_exception(caught.value)

    text = caplog.text + "".join(said)
    assert "ejected" in text
    assert [word for word in ("1.2.3", "Roe", SECRET.split()[1], "127.0.0.1") if word in text] == []


async def test_requests_over_the_limit_wait_for_a_slot_that_is_held_until_the_answer_is_closed() -> None:
    two_arrived, go = asyncio.Event(), asyncio.Event()

    def answer(request: Seen) -> list[Step]:
        return [*([Note(two_arrived.set)] if request.number == 2 else []), Wait(go), Reply(body=b"x")]

    async with (
        ScriptedUpstream(answer) as upstream,
        archive_at(upstream.url, concurrency=2) as archive,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(whole(archive)) for _ in range(5)]
        await two_arrived.wait()

        assert (len(upstream.requests), archive.limiter.busy, archive.limiter.waiting) == (2, 2, 3)
        go.set()
        await asyncio.wait(tasks)
        assert (len(upstream.requests), archive.limiter.busy, archive.limiter.waiting) == (5, 0, 0)


async def test_a_slot_that_does_not_come_free_is_overload() -> None:
    async with (
        ScriptedUpstream(ok) as upstream,
        archive_at(upstream.url, concurrency=1, timeouts=Timeouts(first_byte=SHORT)) as archive,
        archive.open(get()),
    ):
        with pytest.raises(errors.Overloaded) as caught:
            await whole(archive)

    assert (caught.value.status, caught.value.upstream, dict(caught.value.fields)) == (
        503,
        "north",
        {"retry-after": "5"},
    )
    assert len(upstream.requests) == 1


async def test_a_path_that_could_leave_the_base_is_refused_and_nothing_is_sent() -> None:
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        for path in ("/../admin", "/studies/%2e%2e/x", "/studies/a%2fb", "//evil.example/", "/a\\b", "@evil"):
            with pytest.raises(errors.BadRequest):
                await whole(archive, get(path))

    assert upstream.connections == 0


async def test_a_field_that_cannot_be_written_is_the_requests_fault() -> None:
    given = Fields([("accept-charset", "M\xfcller")])
    async with ScriptedUpstream(ok) as upstream, archive_at(upstream.url) as archive:
        with pytest.raises(errors.BadRequest):
            await whole(archive, Outbound("GET", Transaction.RETRIEVE, "/studies/1", fields=given))

        assert (upstream.connections, archive.health.failures) == (0, 0)


async def test_it_tells_where_a_request_goes() -> None:
    async with archive_at("http://127.0.0.1:8042") as archive:
        url = archive.url(get("/studies/1/metadata", "a=b"))

    assert url == "http://127.0.0.1:8042/dw/studies/1/metadata?a=b"


async def test_what_was_asked_and_received_is_counted() -> None:
    async with ScriptedUpstream(ok) as upstream:
        name = f"counted-{upstream.port}"
        for url in (upstream.url, f"http://127.0.0.1:{closed_port()}"):
            async with HttpArchive(name, STANDARD, {Transaction.RETRIEVE: url}, sleep=no_sleep) as archive:
                with suppress(errors.ConnectError):
                    await whole(archive)
        async with HttpArchive(name, STANDARD, {Transaction.STORE: upstream.url}) as archive:
            await whole(archive, post(pieces(b"in", b"stance")))

    def requests(outcome: str) -> float:
        return float(metrics.UPSTREAM_REQUESTS.labels(name, "retrieve", outcome)._value.get())

    assert (requests("2xx"), requests("destination_unavailable")) == (1, 3)
    assert metrics.UPSTREAM_BYTES.labels(name, "retrieve")._value.get() == len(b"n1")
    assert metrics.UPSTREAM_SENT_BYTES.labels(name, "store")._value.get() == len(b"instance")


async def test_an_answer_that_breaks_off_is_counted_as_a_cut() -> None:
    head = raw("HTTP/1.1 200 OK", "Content-Length: 9", body=b"half")
    async with ScriptedUpstream(script=[[Request(), Send(head), Close()]]) as upstream:
        name = f"cut-{upstream.port}"
        async with HttpArchive(name, STANDARD, {Transaction.RETRIEVE: upstream.url}) as archive:
            assert (await until_cut(archive))[0] == b"half"

    assert metrics.UPSTREAM_CUTS.labels(name)._value.get() == 1


async def test_many_answers_may_be_open_at_once() -> None:
    async with (
        ScriptedUpstream(ok) as upstream,
        archive_at(upstream.url, concurrency=8) as archive,
        AsyncExitStack() as stack,
    ):
        answers = [await stack.enter_async_context(archive.open(get())) for _ in range(8)]
        bodies = [b"".join([chunk async for chunk in answer.chunks()]) for answer in answers]

    assert sorted(bodies) == [b"n%d" % number for number in range(1, 9)]
