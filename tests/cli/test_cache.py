"""edgerouter cache: the same on a running router and on a stopped one, and which of the two is told."""

import asyncio
import io
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from edgerouter.cli import main
from edgerouter.cli.table import plain, table
from edgerouter.config import load
from tests.cache.support import describe, instance, noise, opened, put, unit_files
from tests.support.orthanc import free_port
from tests.support.router import Router

UPSTREAM = {"a": {"url": "http://127.0.0.1:1/rs", "cache_quota": "1 GB"}}


@pytest.fixture(autouse=True)
def quiet_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)


def filled(folder: Path) -> None:
    """A stopped router's cache with two studies, one of them of a known patient."""

    async def fill() -> None:
        async with opened(folder) as cache:
            await put(cache, instance(study="1.2"), noise(30_000, 1))
            await put(cache, instance(study="1.10"), noise(1000, 2))
            await put(cache, instance(2, study="1.10"), noise(1000, 3))
            await cache.catalog.date("a", "1.2", "20200102")
            await describe(cache, "1.2", PatientID="4711", IssuerOfPatientID="WARD\x1b[2J")

    asyncio.run(fill())


@pytest.fixture
def stopped(short_path: Path) -> str:
    filled(short_path)
    file = short_path / "edgerouter.yaml"
    file.write_text(yaml.safe_dump({"upstreams": UPSTREAM, "cache": {"path": "cache", "min_free": "0 B"}}))
    return str(file)


@pytest.fixture
def running(short_path: Path) -> Iterator[str]:
    filled(short_path)
    with Router(short_path, UPSTREAM, {"cache": {"path": "cache", "min_free": "0 B"}}) as router:
        yield str(router.configuration)


@pytest.fixture(params=["stopped", "running"])
def either(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The configuration of a cache, and how it is said to be reached."""
    said = {"stopped": "no router runs: opening", "running": "asking the running router at"}
    return str(request.getfixturevalue(request.param)), said[request.param]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["cache", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_every_command_works_either_way(either: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    config, way = either
    status, out, err = run(capsys, "stats", "-c", config)
    assert (status, err.count(way)) == (0, 1)
    assert "2 studies, 3 units" in out
    assert "nothing is pinned" in out
    assert "1.0 GB" in out

    status, out, _ = run(capsys, "ls", "-c", config, "--sort", "study")
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == ["study", "1.2", "1.10"]
    assert (status, rows[1][1:3], rows[1][-1]) == (0, ["a", "1"], "2020-01-02")

    status, out, err = run(capsys, "pin", "-c", config, "1.10")
    assert (status, out) == (0, "1 pin, 1 pinned study of 10.2 KB\n")
    status, out, _ = run(capsys, "pin", "-c", config, "PatientID=4711")
    assert status == 0
    assert "of 1 study no metadata is here" in out
    status, out, _ = run(capsys, "pin", "-c", config, "--json")
    assert [pin["study"] or pin["query"] for pin in json.loads(out)["pins"]] == ["1.10", "PatientID=4711"]
    assert run(capsys, "unpin", "-c", config, "1.10")[0] == 0
    assert run(capsys, "unpin", "-c", config, "1.10")[0] == 1

    status, out, err = run(capsys, "verify", "-c", config)
    assert (status, out.splitlines()[1]) == (0, "nothing is damaged")
    assert "units: 3" in err

    status, out, err = run(capsys, "purge", "-c", config, "--patient", "4711")
    assert status == 1  # one study could not be judged
    assert "purged 1 study, 1 unit" in out
    assert "1.10 of a" in out
    status, out, err = run(capsys, "purge", "-c", config, "--all", "--yes")
    assert (status, out) == (0, "purged 1 study, 2 units\n")
    assert unit_files(Path(config).parent) == []


def test_patients_are_shown_only_when_asked_for_and_cannot_steer_the_terminal(
    stopped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "4711" not in run(capsys, "ls", "-c", stopped)[1]

    shown = run(capsys, "ls", "-c", stopped, "--patient")[1]
    assert "4711" in shown
    assert "\x1b" not in shown
    assert "WARD\ufffd[2J" in shown


def test_a_limit_says_what_it_leaves_out(stopped: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 of 2 studies; --limit 0 shows all" in run(capsys, "ls", "-c", stopped, "--limit", "1")[1]
    assert "--limit" not in run(capsys, "ls", "-c", stopped, "--limit", "0")[1]


def test_damage_is_found_told_and_an_exit_status(stopped: str, capsys: pytest.CaptureFixture[str]) -> None:
    (largest,) = (file for file in unit_files(Path(stopped).parent) if file.stat().st_size == 30_000)
    with largest.open("r+b") as file:
        file.write(b"?")

    status, out, _ = run(capsys, "verify", "-c", stopped)

    assert status == 1
    assert "removed 1 damaged unit" in out


def test_everything_goes_only_after_a_yes(
    stopped: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    folder = Path(stopped).parent
    for arguments in (["--all"], ["--upstream", "a"]):
        with pytest.raises(SystemExit) as wrong:
            main(["cache", "purge", "-c", stopped, *arguments])
        assert wrong.value.code == 2
        monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
        status, _, err = run(capsys, "purge", "-c", stopped, *arguments)
        assert (status, err) == (1, "nothing was purged\n")
        assert len(unit_files(folder)) == 3
        monkeypatch.undo()
        monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert run(capsys, "purge", "-c", stopped, "--all")[0] == 0
    assert unit_files(folder) == []


def test_a_patient_id_can_stay_out_of_the_shells_history(
    stopped: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("4711\n"))

    assert "purged 1 study" in run(capsys, "purge", "-c", stopped, "--patient", "-")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        *(["purge"], ["purge", "--all", "--study", "1.2"], ["purge", "--study", "x"], ["unpin"]),
        *(["ls", "--limit", "-1"], ["ls", "--sort", "odd"], ["verify", "--rate", "fast"]),
        ["purge", "--unused-for", "soon"],
    ],
)
def test_wrong_usage_is_told(stopped: str, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        main(["cache", arguments[0], "-c", stopped, *arguments[1:]])
    assert wrong.value.code == 2


def test_what_is_refused_is_said_in_words(stopped: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in (
        (["pin", "PatientId=1"], "PatientId is no attribute of DICOM."),
        (["ls", "--upstream", "b"], "There is no upstream 'b'."),
        (["purge", "--study", "1.2", "--issuer", "A"], "name the patient, too."),
        (["verify", "--stop"], ""),
    ):
        status, _, err = run(capsys, arguments[0], "-c", stopped, *arguments[1:])
        assert status == 1
        assert why in err


def test_a_directory_that_is_in_use_without_a_listener_is_told(
    stopped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def meanwhile() -> tuple[int, str, str]:
        async with opened(Path(stopped).parent):
            return await asyncio.to_thread(run, capsys, "stats", "-c", stopped)

    status, _, err = asyncio.run(meanwhile())

    assert status == 1
    assert "is in use" in err
    assert "its admin listener does not answer" in err


def test_a_cache_that_is_not_there_is_not_made(
    stopped: str, capsys: pytest.CaptureFixture[str], short_path: Path
) -> None:
    Path(stopped).write_text(Path(stopped).read_text().replace("path: cache", "path: nowhere"))

    status, _, err = run(capsys, "stats", "-c", stopped)

    assert (status, "There is no cache in" in err) == (1, True)
    assert not (short_path / "nowhere").exists()


def test_a_configuration_without_a_cache_says_so(stopped: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = yaml.safe_dump({"upstreams": UPSTREAM, "cache": {"size": "0 B"}})
    Path(stopped).write_text(text)

    assert run(capsys, "stats", "-c", stopped)[0] == 1
    assert load(stopped).admin is None


def test_a_router_that_breaks_off_is_told(stopped: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(stopped).parent / "cache" / "admin.sock"
    for answer in (
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\nnonsense\n",
    ):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()

            async def answering(answer: bytes = answer, listener: socket.socket = listener) -> None:
                def serve() -> None:
                    listener.accept()[0].close()  # whether somebody is there
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.to_thread(serve))
                    status, _, err = await asyncio.to_thread(run, capsys, "verify", "-c", stopped)
                assert status == 1
                assert "broke off its answer" in err

            asyncio.run(answering())


def test_the_tcp_form_wants_its_token(
    short_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(short_path)
    monkeypatch.setenv("EDGE_ADMIN_TOKEN", "s3cret")
    admin = {"port": free_port(), "token": {"env": "EDGE_ADMIN_TOKEN"}}
    overrides = {"cache": {"path": "cache", "min_free": "0 B"}, "server": {"admin": admin}}
    with Router(short_path, UPSTREAM, overrides) as router:
        config = str(router.configuration)
        status, out, err = run(capsys, "stats", "-c", config)
        assert (status, f"127.0.0.1 port {admin['port']}" in err) == (0, True)
        assert "2 studies" in out
        monkeypatch.setenv("EDGE_ADMIN_TOKEN", "wrong")
        status, _, err = run(capsys, "stats", "-c", config)
        assert (status, "wants its token" in err) == (1, True)
        monkeypatch.delenv("EDGE_ADMIN_TOKEN")
        status, _, err = run(capsys, "stats", "-c", config)
        assert (status, "EDGE_ADMIN_TOKEN is not set" in err) == (1, True)
        assert "s3cret" not in router.log


def test_who_interrupts_is_told_that_the_router_goes_on(
    stopped: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgerouter.cli.cache.reach", interrupted)

    status, _, err = run(capsys, "verify", "-c", stopped)

    assert (status, "goes on there" in err) == (1, True)


@pytest.mark.parametrize("admin", ["socket", "port"])
def test_a_router_whose_admin_listener_cannot_be_had_does_not_start(
    stopped: str, capsys: pytest.CaptureFixture[str], admin: str
) -> None:
    folder = Path(stopped).parent
    (folder / "precious").write_text("not a socket")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        way = {"socket": "precious"} if admin == "socket" else {"port": port}
        Path(stopped).write_text(
            yaml.safe_dump(
                {"server": {"port": 0, "admin": way}, "upstreams": UPSTREAM, "cache": {"path": "cache"}}
            )
        )
        assert main(["serve", "-c", stopped]) == 1

    said = capsys.readouterr().err
    assert "server.admin" in said
    assert (folder / "precious").read_text() == "not a socket"


def test_a_table_is_aligned() -> None:
    assert list(table(("name", "size#"), [("a", "1"), ("long", "1000")])) == [
        "name  size",
        "a        1",
        "long  1000",
    ]
    assert plain("Müller\r\n\x1b[31m\u202e") == "Müller\ufffd\ufffd\ufffd[31m\ufffd"
