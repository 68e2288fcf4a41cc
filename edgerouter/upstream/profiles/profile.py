"""What is particular about an archive product: its spelling of Accept, its searches, its limits."""

from dataclasses import dataclass, field
from typing import Literal

from edgerouter.upstream.profiles.searching import Searching


@dataclass(frozen=True, slots=True)
class Profile:
    """One product's ways. The defaults are the standard's (PS3.18)."""

    name: str
    search: Searching = field(default_factory=Searching)
    documents: Literal["both", "json", "xml"] = "both"
    """The forms in which it gives datasets: search results, metadata, answers to a Store."""
    accept_lists: bool = True
    """Takes several media ranges with weights; otherwise it gets the one that serves best."""
    single_part: bool = True
    """Answers with a single instance, frame or bulk value alone, not only as multipart."""
    tagged_octets: bool = True
    """Frames as octets may name a compressed transfer syntax; otherwise its image type does."""
    plain_values: bool = True
    """Bulk values may be asked for by their own type and transfer syntax."""
    multipart_xml_search: bool = True
    """XML search results are asked for as multipart/related."""
    pictures: tuple[str, ...] = ()
    """The rendered types it has, its default first; empty for whatever it may have."""
    frames_batch: int | None = None
    """How many frames are best asked for in one request; None for as many as wanted."""
    derive_metadata: bool = False
    """Its metadata says what its instances do, so that one may be made of the other."""
    single_part_store: bool = True
    """Takes one instance as a lone `application/dicom` body."""
    plain_content_type: bool = False
    """WADO-URI's contentType must not be percent-encoded."""
