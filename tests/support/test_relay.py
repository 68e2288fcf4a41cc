"""The relay tells the truth about what passed, changes nothing unasked, and breaks what it is told to."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.relay import Cut, Fault, Relay

Connect = Callable[..., http.client.HTTPConnection]
BODY = bytes(range(256)) * 400


class _Archive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.startswith("/sized"):
            self.send_header("Content-Length", str(len(BODY)))
        elif self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(_chunked(BODY) if self.path.startswith("/chunked") else BODY)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _chunked(body: bytes) -> bytes:
    half = len(body) // 2
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return parts + b"0\r\n\r\n"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Archive) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with Relay(f"http://127.0.0.1:{server.server_port}") as relay:
            yield relay
        server.shutdown()
        thread.join()


@pytest.fixture
def connect(relay: Relay) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connect(timeout: float = 20) -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=timeout)
            return stack.enter_context(closing(connection))

        yield connect


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()


@pytest.mark.parametrize("framing", ["/sized", "/chunked", "/close"])
def test_it_counts_without_changing_a_byte(relay: Relay, connect: Connect, framing: str) -> None:
    assert get(connect(), f"{framing}?a=%2C") == BODY
    relay.quiet()
    [seen] = relay.requests
    assert (seen.method, seen.path, seen.query) == ("GET", framing, "a=%2C")
    assert (seen.status, seen.body_down, seen.whole) == (200, len(BODY), True)
    assert relay.bytes_down > len(BODY)


def test_it_tells_the_requests_of_one_connection_apart(relay: Relay, connect: Connect) -> None:
    connection = connect()
    get(connection, "/sized/1")
    before = relay.mark()
    get(connection, "/chunked/2")
    connection.request("POST", "/store", b"x" * 1000)
    connection.getresponse().read()
    assert [(seen.method, seen.path, seen.body_up) for seen in relay.since(before)] == [
        ("GET", "/chunked/2", 0),
        ("POST", "/store", 1000),
    ]
    assert relay.connections == 1


@pytest.mark.parametrize(
    ("how", "error"),
    [(Cut.RST, ConnectionResetError), (Cut.FIN, http.client.IncompleteRead), (Cut.STALL, TimeoutError)],
)
def test_it_cuts_after_so_many_bytes(
    relay: Relay, connect: Connect, how: Cut, error: type[Exception]
) -> None:
    relay.spoil(Fault(cut_at=70_001, how=how), times=1)
    connection = connect(timeout=0.5 if how is Cut.STALL else 20)
    connection.request("GET", "/sized")
    with pytest.raises(error):
        connection.getresponse().read()
    assert relay.requests[0].body_down == 70_001
    assert not relay.requests[0].whole
    assert get(connect(), "/sized") == BODY


def test_it_flips_one_byte(relay: Relay, connect: Connect) -> None:
    relay.spoil(Fault(flip_at=80_000, rate=50_000_000))
    body = get(connect(), "/chunked")
    assert [at for at, byte in enumerate(body) if byte != BODY[at]] == [80_000]


@pytest.mark.parametrize("at", [-1, 0, 50_000])
def test_it_holds_a_response_until_the_gate_is_opened(relay: Relay, connect: Connect, at: int) -> None:
    gate = relay.hold(lambda request: request.path == "/sized/held", at=at)
    assert get(connect(), "/sized/free") == BODY
    connection = connect()
    connection.request("GET", "/sized/held")
    gate.wait_reached()
    assert relay.requests[-1].body_down == max(at, 0)
    if at >= 0:
        assert connection.getresponse().read(at) == BODY[:at]
    gate.open()
    if at < 0:
        assert connection.getresponse().read() == BODY


def test_a_refused_archive_comes_back_on_the_same_port(relay: Relay, connect: Connect) -> None:
    connection = connect()
    get(connection, "/sized")
    relay.refuse()
    with pytest.raises(ConnectionError):
        get(connection, "/sized")
    with pytest.raises(ConnectionRefusedError):
        get(connect(), "/sized")
    relay.accept()
    assert get(connect(), "/sized") == BODY


def test_an_archive_that_is_not_there_resets_the_connection() -> None:
    with Relay("http://127.0.0.1:9") as relay:
        connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=20)
        with closing(connection), pytest.raises(ConnectionError):
            get(connection, "/sized")
