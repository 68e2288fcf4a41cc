"""TLS towards upstreams: verified always, by what is configured and not by what the environment says."""

import asyncio
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgerouter import errors
from edgerouter.upstream.tls import client_context
from tests.support.scripted import Reply, Request, Reset, ScriptedUpstream, Send, Wait
from tests.upstream.ask import archive_at, get, post, raw, whole


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder; openssl does the work."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def found(self) -> "Authority":
        self.folder.mkdir()
        self._run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca "
            "-keyout ca.key -out ca.pem"
        )
        return self

    def issue(self, name: str, *, address: str = "IP:127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """Certificate and key for a subject alternative name."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={address}\n")
        self._run(
            f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} "
            f"-keyout {name}.key -out {name}.csr"
        )
        self._run(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} "
            f"-extfile {name}.ext -out {name}.pem"
        )
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _run(self, command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours").found()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "theirs").found()


def serving(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def upstream_with(tls: ssl.SSLContext) -> ScriptedUpstream:
    return ScriptedUpstream(lambda request: [Reply(body=b"n%d" % request.number)], tls=tls)


async def test_a_trusted_upstream_is_spoken_to_and_its_connection_kept(authority: Authority) -> None:
    async with (
        upstream_with(serving(authority.issue("good"))) as upstream,
        archive_at(upstream.url, tls=client_context(authority.certificate)) as archive,
    ):
        bodies = [(await whole(archive)).body for _ in range(3)]

    assert (bodies, upstream.connections) == ([b"n1", b"n2", b"n3"], 1)


@pytest.mark.parametrize(
    ("address", "days", "reason"),
    [("DNS:other.example", 2, "IP address mismatch"), ("IP:127.0.0.1", -1, "certificate has expired")],
    ids=["wrong name", "expired"],
)
async def test_a_certificate_that_is_not_good_gets_no_request(
    authority: Authority, address: str, days: int, reason: str
) -> None:
    tls = serving(authority.issue("bad", address=address, days=days))
    async with (
        upstream_with(tls) as upstream,
        archive_at(upstream.url, tls=client_context(authority.certificate)) as archive,
    ):
        with pytest.raises(errors.TlsError) as caught:
            await whole(archive)

        assert reason in str(archive.health.last_error)
    assert (caught.value.status, upstream.requests) == (502, [])


async def test_an_unknown_authority_is_asked_once_and_sent_nothing(
    authority: Authority, stranger: Authority
) -> None:
    async with (
        upstream_with(serving(stranger.issue("good"))) as upstream,
        archive_at(upstream.url, tls=client_context(authority.certificate)) as archive,
    ):
        with pytest.raises(errors.TlsError):
            await whole(archive, post(b"instance"))

        assert "unable to get local issuer certificate" in str(archive.health.last_error)
    assert (upstream.connections, upstream.requests) == (0, [])


async def test_the_environment_does_not_decide_whom_we_trust(
    stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.certificate))
    async with (
        upstream_with(serving(stranger.issue("good"))) as upstream,
        archive_at(upstream.url) as archive,
    ):
        with pytest.raises(errors.TlsError):
            await whole(archive)


async def test_a_reset_under_tls_is_a_cut(authority: Authority) -> None:
    read = asyncio.Event()
    half = raw("HTTP/1.1 200 OK", "Content-Length: 9", body=b"half")
    script = [[Request(), Send(half), Wait(read), Reset()], [Request(), Reset()]]
    async with (
        ScriptedUpstream(script=script, tls=serving(authority.issue("good"))) as upstream,
        archive_at(upstream.url, tls=client_context(authority.certificate)) as archive,
    ):
        async with archive.open(get()) as answer:
            chunks = answer.chunks()
            assert await anext(chunks) == b"half"
            read.set()
            with pytest.raises(errors.Cut):
                await anext(chunks)
        with pytest.raises(errors.Cut):
            await whole(archive, post(b"instance"))


async def test_our_own_certificate_is_shown(authority: Authority) -> None:
    tls = serving(authority.issue("good"))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority.certificate)
    ours = client_context(authority.certificate, *authority.issue("edge", address="DNS:edge"))
    async with upstream_with(tls) as upstream, archive_at(upstream.url, tls=ours) as archive:
        got = await whole(archive)

    assert got.body == b"n1"


async def test_plain_http_where_tls_is_expected_is_a_tls_error() -> None:
    async with (
        ScriptedUpstream(script=[[Send(raw("HTTP/1.1 400 Bad Request"))]]) as upstream,
        archive_at(upstream.url.replace("http:", "https:")) as archive,
    ):
        with pytest.raises(errors.TlsError):
            await whole(archive)


def test_tls_is_1_2_or_newer_and_verified() -> None:
    context = client_context()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs() or ssl.get_default_verify_paths().openssl_capath


@pytest.mark.parametrize("there", ["folder", "file", "nothing"])
def test_the_systems_authorities_are_found_where_openssl_was_built_to_look(
    there: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, file = tmp_path / "certs", tmp_path / "cert.pem"
    if there == "folder":
        folder.mkdir()
        (folder / "ca.pem").write_bytes(authority.certificate.read_bytes())
    if there == "file":
        file.write_bytes(authority.certificate.read_bytes())
    paths = ssl.DefaultVerifyPaths("x", "x", "SSL_CERT_FILE", str(file), "SSL_CERT_DIR", str(folder))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    # A folder's certificates are read when one is needed; a file's, and the fallback's, at once.
    count = len(client_context().get_ca_certs())

    assert count == {"folder": 0, "file": 1}.get(there, count)
    assert count > 50 or there != "nothing"
