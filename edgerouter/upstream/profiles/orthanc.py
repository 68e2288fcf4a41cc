"""Orthanc with its DICOMweb plugin.

Measured on 1.10.1 with plugin 1.7 (Debian 12):

- frames: one media range, no list (a list is a 500, a weight on the one range is harmless); octets only
  with `transfer-syntax=*`, uncompressed, or none, so a compressed syntax goes by its own image type; an
  image type with `*` is a 400; what it cannot transcode is a 500. Big endian frames fail under `*`.
- studies, series, instances: multipart only, `application/dicom` alone is a 400.
- metadata: XML as multipart, without `transfer-syntax`. Searches and Store answers: XML only for a lone
  `application/dicom+xml`, which a search then answers as multipart; anything else is answered with JSON.
- bulk data: `multipart/related; type="application/octet-stream"` or nothing, and no Range.
- rendered: `image/jpeg` or `image/png`, one of them, no `image/*`; no thumbnails, no zip, no `/pixeldata`.
- searches: an offset without a limit is ignored; lists of values by a comma, `%2C` too, of fields by a
  literal comma only, and a backslash matches nothing; a date range and a time range are matched one by one;
  TimezoneOffsetFromUTC is a key that no study has, ModalitiesInStudy one that no series and no instance has;
  fuzzymatching is accepted, ignored and not told of; without a match `[]`.
- it gzips pixels, too, for whoever accepts gzip; HEAD and OPTIONS are 404; a Store is multipart or 415;
  kept connections end after one second; WADO-URI wants `contentType=application/dicom` unencoded.

Documented, by its source: asking for Modality at study level makes it open every study; `includefield=all`
is accepted and ignored. Newer plugins (1.16 and later) differ: rendered types and thumbnails grow, frames
stay as they are.
"""

from types import MappingProxyType

from edgerouter.dicomweb.resource import Level
from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching

_MODALITIES = frozenset({"00080061"})

ORTHANC = Profile(
    "orthanc",
    search=Searching(
        slow_fields=MappingProxyType({Level.STUDY: frozenset({"00080060"})}),
        lost_keys=MappingProxyType({Level.SERIES: _MODALITIES, Level.INSTANCE: _MODALITIES}),
        parameters=frozenset(),
        offset_needs_limit=True,
        combined_times=False,
        time_zones=False,
    ),
    accept_lists=False,
    single_part=False,
    tagged_octets=False,
    plain_values=False,
    multipart_xml_search=False,
    pictures=("image/jpeg", "image/png"),
    frames_batch=1,
    derive_metadata=True,
    single_part_store=False,
    plain_content_type=True,
)
