"""From the sections of a configuration to the parts that the app puts together."""

import os
from pathlib import Path

from edgerouter import metrics
from edgerouter.admin import (
    UpstreamStatus,
)
from edgerouter.cache.cache import Cache
from edgerouter.cache.means import FrameNotes, no_notes
from edgerouter.cache.start import Start
from edgerouter.config import Config, ServerConfig
from edgerouter.config.upstreams import Upstream
from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.resource import Transaction
from edgerouter.door import Doorway
from edgerouter.http.forwarded import Trust
from edgerouter.parsing.describer import Describer
from edgerouter.server import Limits
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.profiles import PROFILES
from edgerouter.upstream.profiles.quirks import with_quirks
from edgerouter.upstream.target import origin
from edgerouter.upstream.tls import client_context
from edgerouter.upstream.translating import TranslatingArchive


def archive(name: str, upstream: Upstream) -> HttpArchive | FolderArchive:
    """One configured upstream as an archive; reads secrets and certificates.

    Raises OSError or SecretMissing."""
    if upstream.folder:
        return FolderArchive(name, upstream.folder, concurrency=upstream.concurrency)
    bases = {
        transaction: base
        for transaction in (Transaction.SEARCH, Transaction.RETRIEVE, Transaction.STORE, Transaction.WADO_URI)
        if (base := upstream.base(transaction))
    }
    credentials = (
        {origin(base): upstream.auth.authorization() for base in bases.values()} if upstream.auth else {}
    )
    tls = upstream.tls
    times = upstream.timeouts
    profile = with_quirks(PROFILES[upstream.profile], upstream.quirks.model_dump(exclude_none=True))
    kind = HttpArchive if profile.documents == "both" else TranslatingArchive
    return kind(
        name,
        profile,
        bases,
        aliases=upstream.aliases,
        credentials=credentials,
        tls=client_context(tls.ca, tls.cert, tls.key) if tls else None,
        timeouts=Timeouts(times.connect, times.first_byte, times.between_reads, times.store_answer),
        concurrency=upstream.concurrency,
    )


def upstream_status(archive: HttpArchive) -> UpstreamStatus:
    """What the status page shows of one upstream."""
    health = archive.health
    return UpstreamStatus(
        name=archive.name,
        profile=archive.profile.name,
        state=health.state,
        age=health.age,
        wait=health.wait,
        last_error=health.last_error,
        requests=metrics.total(metrics.UPSTREAM_REQUESTS, upstream=archive.name),
        received=metrics.total(metrics.UPSTREAM_BYTES, upstream=archive.name),
        in_flight=archive.limiter.busy,
        waiting=archive.limiter.waiting,
    )


async def open_cache(config: Config, start: Start, frames: FrameNotes = no_notes) -> Cache:
    """The configured cache, in its directory, which must not be in use. Raises FolderError."""
    quotas = {
        name: upstream.cache_quota
        for name, upstream in config.upstreams.items()
        if upstream.cache_quota is not None
    }
    return await Cache.open(
        config.cache.path,
        size=config.cache.size,
        min_free=config.cache.min_free,
        start=start,
        quotas=quotas,
        issuers=issuers(config),
        zone=config.server.time_zone,
        frames=frames,
    )


async def frame_note(describer: Describer, path: Path) -> bytes:
    """What is written down of an instance's frames; nothing for a file that cannot be read so."""
    try:
        return await describer.frames(os.fsencode(path))
    except (Part10Error, OSError):
        return b""


def issuers(config: Config) -> dict[str, str]:
    """The assigning authorities of the upstreams that have one."""
    return {name: upstream.issuer for name, upstream in config.upstreams.items() if upstream.issuer}


def doorway(server: ServerConfig) -> Doorway:
    """Where the door to the DICOMweb root stands."""
    return Doorway(
        base_path=server.base_path,
        public_url=server.public_url,
        trusted=Trust(server.trusted_proxies),
        max_body=server.limits.max_body,
        write_timeout=server.limits.write_timeout,
        min_upload_rate=server.limits.min_upload_rate,
        upload_window=server.limits.upload_window,
    )


def limits(server: ServerConfig) -> Limits:
    """What the front door lets a stranger take."""
    bounds = server.limits
    return Limits(
        max_head=bounds.max_head,
        max_body=bounds.max_body,
        max_connections=bounds.max_connections,
        head_timeout=bounds.request_head_timeout,
        write_timeout=bounds.write_timeout,
    )
