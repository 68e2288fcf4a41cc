"""Asks the reading process: one question at a time, each with a time limit; one that died is replaced."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import IO, TypeVar

import msgspec

import edgerouter
from edgerouter.dicom.source import Part10Error
from edgerouter.parsing.threads import Threads
from edgerouter.parsing.worker import (
    LENGTH,
    Compare,
    Describe,
    Document,
    Entry,
    FindDocument,
    Frames,
    Locate,
    MakeView,
    Place,
    Reply,
    Request,
    ToJson,
    ToXml,
    View,
)

LIMIT = 60.0  # seconds for one file: none that means well takes one
_START = 60.0  # seconds
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")  # no secrets
_COMMAND = (sys.executable, "-P", "-m", "edgerouter.parsing.worker")
T = TypeVar("T")


class Unread(Part10Error):
    """The reading process died of the file, or took too long."""


class Describer:
    """The reading process of one owner, started when it is first needed. Close it with `aclose`.

    Each question raises Part10Error when the file is no PS3.10 file we can read, OSError when it, or the
    process, cannot be reached.
    """

    def __init__(self, name: str, *, limit: float = LIMIT) -> None:
        self._limit = limit
        self._threads = Threads(f"{name}-reader", 1)
        self._process: subprocess.Popen[bytes] | None = None

    async def describe(self, path: bytes, bulk_base: str, word: str = "bulkdata") -> Entry:
        """What an index keeps of the file; BulkDataURIs are minted under `bulk_base`: see dicom.describe."""
        return await self._ask(Describe(path, bulk_base, word), Entry)

    async def locate(self, path: bytes, where: str) -> Place | None:
        """Where in the file a bulk data value stands, None when nothing there is given by reference."""
        return await self._ask(Locate(path, where), Place | None)  # type: ignore[arg-type]

    async def document(self, path: bytes) -> Document | None:
        """The encapsulated document of the file; None when it has none, or that is doubtful."""
        return await self._ask(FindDocument(path), Document | None)  # type: ignore[arg-type]

    async def view(self, path: bytes) -> View | None:
        """How the file is written in Explicit VR Little Endian; None when that is not certain."""
        return await self._ask(MakeView(path), View | None)  # type: ignore[arg-type]

    async def frames(self, path: bytes) -> bytes:
        """What a cache writes down of the file's frames: see dicom.frames.frame_note."""
        return await self._ask(Frames(path), bytes)

    async def compare(self, path: bytes, row: bytes) -> bool:
        """Whether a DICOM JSON object says what the header of the file does; in doubt it does not."""
        return await self._ask(Compare(path, row), bool)

    async def to_xml(self, row: bytes) -> bytes:
        """A DICOM JSON object as a Native DICOM Model document."""
        return await self._ask(ToXml(row), bytes)

    async def to_json(self, documents: list[bytes]) -> list[bytes]:
        """Native DICOM Model documents as DICOM JSON objects."""
        return await self._ask(ToJson(documents), list[bytes])

    async def aclose(self) -> None:
        """End the process, whatever it does."""
        if process := self._process:
            process.kill()
        await self._threads.run(self._end)
        await self._threads.aclose()

    async def _ask(self, request: Request, kind: type[T]) -> T:
        reply = await self._threads.run(self._exchanged, msgspec.msgpack.encode(request))
        if reply.value:
            return msgspec.msgpack.decode(reply.value, type=kind)
        if reply.errno:
            raise OSError(reply.errno, reply.refusal)
        raise Part10Error(reply.refusal)

    def _exchanged(self, request: bytes) -> Reply:
        """One exchange, in the thread of this describer."""
        process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        overdue = Timer(self._limit, process.kill)
        overdue.start()
        try:
            process.stdin.write(LENGTH.pack(len(request)) + request)
            process.stdin.flush()
            return msgspec.msgpack.decode(_message(process.stdout), type=Reply)
        except (BrokenPipeError, EOFError):
            self._end()
            raise Unread("The file took too long, or ended its reader.") from None
        finally:
            overdue.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        """A new process; it must not import from wherever we were started, nor hear our Ctrl-C.

        Its standard error goes nowhere: a library's warning may quote a file (law 12).
        """
        own = str(Path(edgerouter.__file__).parents[1])
        paths = os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH")]))
        process = self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {"PYTHONPATH": paths},
            start_new_session=True,
        )
        assert process.stdout is not None
        overdue = Timer(_START, process.kill)
        overdue.start()
        try:
            _message(process.stdout)
        except EOFError:
            self._end()
            raise OSError(errno.EIO, "The reading process did not start.") from None
        finally:
            overdue.cancel()
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()


def _message(answers: IO[bytes]) -> bytes:
    """The next message; raises EOFError when it does not come whole."""
    head = answers.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    body = answers.read(length)
    if len(body) < length:
        raise EOFError
    return body
