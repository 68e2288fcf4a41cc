"""curl as a client: what people type to see whether a server works, and how it spells things."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.support.archives import Archives
from tests.support.doors import Door, Reply, until_hit

_LIMIT = 30  # seconds


class CurlFailed(AssertionError):
    """curl ended with an exit status of its own; 18 is an answer that broke off."""


def curl(url: str, *options: str) -> Reply:
    """The last answer that curl got. Raises CurlFailed when it is not satisfied with it."""
    with tempfile.TemporaryDirectory(prefix="curl") as folder:
        head, body = Path(folder, "head"), Path(folder, "body")
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(_LIMIT), "-D", str(head)]
        ended = subprocess.run([*command, "-o", str(body), *options, url], capture_output=True, check=False)
        if ended.returncode:
            raise CurlFailed(f"curl ended with {ended.returncode}: {ended.stderr.decode()}")
        status, fields = _head(head.read_text("latin-1"))
        return Reply(status, fields, body.read_bytes() if body.exists() else b"")


def _head(text: str) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Status and fields of the last head; interim answers and refused ones come before it."""
    status_line, *lines = text.strip().split("\n\n" if "\r" not in text else "\r\n\r\n")[-1].splitlines()
    pairs = (line.partition(":") for line in lines)
    return int(status_line.split()[1]), tuple((name.lower(), value.strip()) for name, _, value in pairs)


def address(door: Door, archives: Archives, name: str, path: str) -> str:
    """The URL of what is asked of a sample: {study}, {series} and {instance} are its paths, {wado} it as
    an object of the URI service."""
    sample = archives.sample(name)
    series = sample.resource.partition("/instances/")[0]
    names = f"studyUID={sample.study}&seriesUID={sample.series}&objectUID={sample.instance}"
    wado = f"{door.wado_uri}?requestType=WADO&{names}"
    target = path.format(study=f"/studies/{sample.study}", series=series, instance=sample.resource, wado=wado)
    return target if "://" in target else door.base + target


def asked(door: Door, archives: Archives, name: str, path: str, options: tuple[str, ...]) -> Reply:
    """The answer to curl with these options; one that is a field, `accept: …`, is put as such."""
    given = [word for it in options for word in (["-H", it] if it.startswith("accept: ") else [it])]
    return curl(address(door, archives, name, path), *given)


def until_held(door: Door, archives: Archives, name: str, path: str, options: tuple[str, ...]) -> None:
    """Ask until the answer is a hit."""
    until_hit(lambda: asked(door, archives, name, path, options), path)


def content(door: Door, reply: Reply) -> object:
    """Status, and what an answer says: its parts, its rows, its bytes; of an error nothing more."""
    if reply.status >= 400:
        return reply.status
    kind = (reply.get("content-type") or "").partition(";")[0]
    if kind == "multipart/related":
        return reply.status, kind, [door.unlinked(part.body) for part in reply.parts]
    return reply.status, kind, usable(json.loads(door.unlinked(reply.body))) if "json" in kind else reply.body


def usable(rows: list[dict[str, dict[str, object]]]) -> object:
    """Without ModalitiesInStudy that have no value: the router leaves them out."""
    return [{tag: it for tag, it in row.items() if tag != "00080061" or it.get("Value")} for row in rows]
