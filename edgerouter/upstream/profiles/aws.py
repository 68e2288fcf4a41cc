"""AWS HealthImaging.

Documented, by its developer guide and the configuration of its own OHIF installer:

- searches: hierarchical only, series in a study and instances in a series; the keys below; no wildcards, no
  includefield, no fuzzymatching; JSON only; at most 10,000 records can be had of any search.
- frames: stored or Explicit VR Little Endian, one media range or a list; a frame list has no number twice.
- datasets: one media range of JSON; a list of mixed types is refused.
- a request for what is stored: 50 a second, else 429; a Store has at most 1 GB.

Not documented, hence taken as absent: lists of values, empty keys, time zones, combined ranges, single parts,
and what is said of further results. Nor are a page limit, for which 1000 is our guess, and the keys of series
and instances, taken to be what names them, and Modality.
"""

from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching, everywhere

_STUDY_DATE = "00080020"

AWS = Profile(
    "aws",
    search=Searching(
        keys=frozenset(
            {
                _STUDY_DATE,
                "00080018",  # SOPInstanceUID
                "00080050",  # AccessionNumber
                "00080060",  # Modality
                "00080061",  # ModalitiesInStudy
                "00080090",  # ReferringPhysicianName
                "00100010",  # PatientName
                "00100020",  # PatientID
                "0020000D",  # StudyInstanceUID
                "0020000E",  # SeriesInstanceUID
                "00200010",  # StudyID
            }
        ),
        ranges=frozenset({_STUDY_DATE}),
        wildcards=False,
        empty_keys=False,
        separator=None,
        parameters=frozenset(),
        includefield="none",
        limit_min=1,
        page_limits=everywhere(1000),
        most_results=10_000,
        tells_of_more=False,
        relational=False,
        combined_times=False,
        time_zones=False,
    ),
    documents="json",
    accept_lists=False,
    single_part=False,
)
