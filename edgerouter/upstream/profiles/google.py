"""Google Cloud Healthcare API, a DICOM store.

Documented, by its conformance statement and its own adapter:

- searches: exact single values, a range for StudyDate only, prefixes of PatientName by fuzzymatching; any
  other key, a wildcard or a list is 400. `limit` up to 5000 (studies, series) and 50000 (instances), 100 and
  1000 when none is asked, and nothing tells of more.
- ModalitiesInStudy, the numbers of related series and instances and, of series and instances, the UIDs above
  them come only when asked for; RetrieveURL never does.
- frames, instances: `transfer-syntax=*` or a UID, single parts too; no gzip under `*`.
- rendered: instances and frames, `image/jpeg` or `image/png`; no thumbnails, no URI service.
- a Store answers in XML unless JSON is accepted, and 409 for the whole request when any instance failed,
  though others were stored; 429 is a quota of a minute.
"""

from types import MappingProxyType

from edgerouter.dicomweb.resource import Level
from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching

_STUDY_DATE = "00080020"

GOOGLE = Profile(
    "google",
    search=Searching(
        keys=frozenset(
            {
                _STUDY_DATE,
                "00080018",  # SOPInstanceUID
                "00080050",  # AccessionNumber
                "00080060",  # Modality
                "00080090",  # ReferringPhysicianName
                "00100010",  # PatientName
                "00100020",  # PatientID
                "0020000D",  # StudyInstanceUID
                "0020000E",  # SeriesInstanceUID
            }
        ),
        ranges=frozenset({_STUDY_DATE}),
        wildcards=False,
        empty_keys=False,
        separator=None,
        parameters=frozenset({"fuzzymatching"}),
        includefield="repeat",
        left_out=MappingProxyType(
            {
                Level.STUDY: frozenset({"00080061", "00201206", "00201208"}),
                Level.SERIES: frozenset({"0020000D", "00201209"}),
                Level.INSTANCE: frozenset({"0020000D", "0020000E"}),
            }
        ),
        limit_min=1,
        page_limits=MappingProxyType({Level.STUDY: 5000, Level.SERIES: 5000, Level.INSTANCE: 50000}),
        tells_of_more=False,
        combined_times=False,
        time_zones=False,
    ),
    pictures=("image/jpeg", "image/png"),
)
