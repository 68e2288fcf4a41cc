"""Real Orthanc archives, as many as a test needs: Debian's packages, started on a free loopback port."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ADVICE = "Orthanc is not installed: run `apt-get install orthanc orthanc-dicomweb`"
_START_LIMIT = 30.0  # seconds
_LOADERS = 4


class OrthancMissing(RuntimeError):
    """The Debian packages are not there; the message says which to install."""


class OrthancFailed(RuntimeError):
    """Orthanc did not start, or answered its own REST API with an error."""


def executable() -> str:
    """The path of Orthanc. Raises OrthancMissing when it or its DICOMweb plugin is not installed."""
    found = shutil.which("Orthanc") or shutil.which("/usr/sbin/Orthanc")
    if found is None or not PLUGIN.exists():
        raise OrthancMissing(ADVICE)
    return found


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Orthanc:
    """One archive in a folder of its own; `settings` are merged into its configuration file."""

    def __init__(self, name: str, folder: Path, **settings: object) -> None:
        self.name = name
        self.folder = folder
        self.port = 0
        self.refused: dict[Path, str] = {}
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb_url(self) -> str:
        """The root of its DICOMweb service."""
        return f"{self.url}/dicom-web"

    @property
    def log(self) -> str:
        """What it has printed since it was made."""
        return (self.folder / "orthanc.log").read_text(errors="replace")

    def start(self) -> Self:
        """Start it, on the port it had before if it had one, and wait until it answers."""
        command = executable()
        for port in (self.port or free_port(), free_port(), free_port()):
            self.port = port
            if self._run(command):
                return self
        raise OrthancFailed(f"Orthanc {self.name} did not start:\n{self.log[-2000:]}")

    def stop(self) -> None:
        """Stop it, also while it is paused; what it stored stays."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """SIGKILL: at once, where stopping takes it two seconds."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections are still taken by the kernel, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def load(self, files: Iterable[Path]) -> dict[Path, str]:
        """Put files in over its own REST API; returns (and keeps in `refused`) why it refused which."""
        paths = list(files)
        with ThreadPoolExecutor(_LOADERS) as pool:
            answers = pool.map(self._load_some, (paths[start::_LOADERS] for start in range(_LOADERS)))
            refused = {path: reason for answer in answers for path, reason in answer.items()}
        self.refused.update(refused)
        return refused

    def raw(self, instance: str) -> bytes:
        """The PS3.10 file of a SOPInstanceUID, as it was stored."""
        return self._ask("GET", f"/instances/{self._lookup('Instance', instance)}/file")

    def delete_study(self, study: str) -> None:
        """Delete a StudyInstanceUID, as an operator would: behind the back of every cache."""
        self._ask("DELETE", f"/studies/{self._lookup('Study', study)}")

    def post(self, path: str, value: object) -> bytes:
        """What its REST API, or a plugin's, answers to a JSON value. Raises OrthancFailed."""
        return self._ask("POST", path, json.dumps(value).encode())

    def identifier(self, level: str, uid: str) -> str:
        """Its own name for what has this UID; `level` is Study, Series or Instance. Raises OrthancFailed."""
        return self._lookup(level, uid)

    def count(self) -> dict[str, int]:
        """Its statistics: CountStudies, CountSeries, CountInstances …"""
        statistics = json.loads(self._ask("GET", "/statistics"))
        return {key: value for key, value in statistics.items() if key.startswith("Count")}

    def _run(self, command: str) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration()))
        with open(self.folder / "orthanc.log", "ab") as log:
            self._process = subprocess.Popen([command, configuration], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_LIMIT
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                # Another process may have taken the port: only our own name proves that it is ours.
                return bool(json.loads(self._ask("GET", "/system"))["Name"] == self._configuration()["Name"])
            except OSError:
                time.sleep(0.02)
        self.stop()
        return False

    def _configuration(self) -> dict[str, Any]:
        return {
            "Name": f"{self.name}-{os.getpid()}",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(PLUGIN)],
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,  # this Orthanc cannot bind to one address: it refuses the others
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "SyncStorageArea": False,
            "SaveJobs": False,
        } | self._settings

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise OrthancFailed(f"Orthanc {self.name} does not run")
        self._process.send_signal(number)

    def _load_some(self, paths: list[Path]) -> dict[Path, str]:
        refused: dict[Path, str] = {}
        for path in paths:
            try:
                self._ask("POST", "/instances", path.read_bytes())
            except OrthancFailed as error:
                refused[path] = str(error)
        return refused

    def _lookup(self, level: str, uid: str) -> str:
        found = json.loads(self._ask("POST", "/tools/lookup", uid.encode()))
        identifiers = [item["ID"] for item in found if item["Type"] == level]
        if not identifiers:
            raise OrthancFailed(f"Orthanc {self.name} has no {level} {uid}")
        return str(identifiers[0])

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise OrthancFailed(f"{answer.status} {_reason(content)}")
        return content


def _reason(content: bytes) -> str:
    try:
        problem = json.loads(content)
    except ValueError:
        return content.decode(errors="replace")[:200]
    return str(problem.get("Details") or problem.get("Message"))
