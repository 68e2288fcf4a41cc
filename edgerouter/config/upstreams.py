"""The `upstreams` section: the archives behind the router and how each is spoken to.

An upstream is an archive over HTTP, or a folder of PS3.10 files; its keys say which.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import model_validator
from pydantic.types import StringConstraints

from edgerouter.config.problems import Mistake
from edgerouter.config.quirks import Quirks
from edgerouter.config.secret import Auth
from edgerouter.config.section import FilePath, Section, written
from edgerouter.config.urls import BaseUrl
from edgerouter.config.values import Count, Duration, SizeOrNone, YesNo
from edgerouter.dicomweb.resource import Transaction

ProfileName = Literal[
    "standard",
    "orthanc",
    "dcm4chee",
    "google",
    "azure",
    "aws",
    "medical-connections",
    "osirix",
]


class Tls(Section):
    """How the upstream's certificate is checked, and ours shown."""

    ca: FilePath | None = None
    """PEM certificates trusted instead of the system's."""
    cert: FilePath | None = None
    """Our PEM client certificate, with `key`."""
    key: FilePath | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert is None) is not (self.key is None):
            raise Mistake("cert and key belong together", "give both or neither")
        return self


class Timeouts(Section):
    """Seconds; each bounds one wait for the upstream."""

    connect: Duration = written("5s")
    first_byte: Duration = written("30s")
    """From the end of the request to the response head."""
    between_reads: Duration = written("30s")
    store_answer: Duration = written("5m")
    """From the end of a Store's body to the response head."""
    search: Duration | None = None
    """For its whole share of a search, where that is less than the route's deadline."""


_OF_FOLDERS = frozenset({"folder", "issuer", "concurrency", "cache_quota", "derive_metadata"})


class Upstream(Section):
    """One archive, reached over HTTP or embedded over a folder."""

    later = frozenset({"links", "link"})

    folder: FilePath | None = None
    """The folder of PS3.10 files that is served as an archive; no address goes with it."""
    url: BaseUrl | None = None
    """The DICOMweb root, where the three below do not say otherwise."""
    search_url: BaseUrl | None = None
    retrieve_url: BaseUrl | None = None
    store_url: BaseUrl | None = None
    wado_uri_url: BaseUrl | None = None
    """The URI service (PS3.18 §9)."""
    profile: ProfileName = "standard"
    """The product it is."""
    quirks: Quirks = Quirks()
    """Where it differs from its profile."""
    issuer: Annotated[str, StringConstraints(pattern=r"^[^\\^&\n\t]{1,64}$")] | None = None
    """The assigning authority of its patient IDs."""
    aliases: tuple[BaseUrl, ...] = ()
    """Other base URLs it may print in its own links."""
    auth: Auth | None = None
    tls: Tls | None = None
    timeouts: Timeouts = Timeouts()
    concurrency: Count = 8
    """Requests under way at a time."""
    cache_quota: SizeOrNone | None = None
    """What may be kept of it in the cache, part files included; 0 B keeps nothing of it."""
    derive_metadata: YesNo | None = None
    """Whether metadata may be made of instances that are held; without it, as the profile says."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.folder is not None:
            return self._as_folder()
        bases = [self.url, self.search_url, self.retrieve_url, self.store_url]
        if not any(bases):
            raise Mistake("has no address", "give url, folder, or search_url, retrieve_url and store_url")
        if self.tls and not any(base.startswith("https:") for base in (*bases, self.wado_uri_url) if base):
            raise Mistake("has tls but no https URL", "write https:// or remove tls")
        return self

    def _as_folder(self) -> Self:
        others = sorted(self.model_fields_set - _OF_FOLDERS)
        if others:
            raise Mistake(f"{others[0]} does not go with folder", "give either an address or a folder")
        return self

    def base(self, transaction: Transaction) -> str | None:
        """The base URL for a transaction, None when it has none."""
        own = {
            Transaction.SEARCH: self.search_url,
            Transaction.RETRIEVE: self.retrieve_url,
            Transaction.STORE: self.store_url,
        }
        if transaction is Transaction.WADO_URI:
            return self.wado_uri_url
        return own.get(transaction) or self.url

    @property
    def bases(self) -> tuple[str, ...]:
        """Every base URL it may print in its own links: the configured ones first, then the aliases."""
        urls = (
            self.url,
            self.search_url,
            self.retrieve_url,
            self.store_url,
            self.wado_uri_url,
            *self.aliases,
        )
        return tuple(dict.fromkeys(url for url in urls if url))

    def missing(self) -> Iterator[str]:
        """What it needs and is not there now: secrets (without their values), certificates, its folder."""
        if self.auth:
            yield from self.auth.secret.missing()
        files = (self.tls.ca, self.tls.cert, self.tls.key) if self.tls else ()
        yield from (f"file {path} is not there" for path in files if path and not path.is_file())
        if self.folder and not self.folder.is_dir():
            yield f"folder {self.folder} is not there"
