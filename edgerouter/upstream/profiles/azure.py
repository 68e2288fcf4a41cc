"""Azure Health Data Services, DICOM service, and the open microsoft/dicom-server it is made of.

Documented, by the conformance statement of version 2 and its issues:

- searches and metadata: Accept exactly `application/dicom+json`, else 406, and no XML anywhere.
- searches: `limit` from 1 to 200, 100 when none is asked, more is 400, and nothing tells of more; exact
  values; ranges of StudyDate and PatientBirthDate; no wildcards, no lists, no empty values, no time zones;
  the keys below, others are 400; includefield once for each attribute; no match, or an offset past the end,
  is 204.
- StudyTime, StudyID, PatientSex, SeriesNumber, InstanceNumber and others come only when asked for;
  ModalitiesInStudy and RetrieveURL never do.
- frames: the quotes of `type` are needed, one media range, a compressed syntax by its image type only;
  a single instance or frame may come alone.
- rendered: `image/jpeg` or `image/png`; no thumbnails; metadata leaves out OB, OW and their like.
- a Store answers in JSON only, 200, 202 or 409, with 45070 for what is there already.
"""

from types import MappingProxyType

from edgerouter.dicomweb.resource import Level
from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching, everywhere

_STUDY_DATE, _BIRTH_DATE = "00080020", "00100030"

AZURE = Profile(
    "azure",
    search=Searching(
        keys=frozenset(
            {
                _STUDY_DATE,
                _BIRTH_DATE,
                "00080018",  # SOPInstanceUID
                "00080050",  # AccessionNumber
                "00080060",  # Modality
                "00080061",  # ModalitiesInStudy
                "00080090",  # ReferringPhysicianName
                "00081030",  # StudyDescription
                "00081090",  # ManufacturerModelName
                "00100010",  # PatientName
                "00100020",  # PatientID
                "0020000D",  # StudyInstanceUID
                "0020000E",  # SeriesInstanceUID
                "00400244",  # PerformedProcedureStepStartDate
            }
        ),
        ranges=frozenset({_STUDY_DATE, _BIRTH_DATE}),
        wildcards=False,
        empty_keys=False,
        separator=None,
        parameters=frozenset({"fuzzymatching"}),
        includefield="repeat",
        named_by="tag",
        left_out=MappingProxyType(
            {
                Level.STUDY: frozenset({"00080030", "00100040", "00200010", "00201208"}),
                Level.SERIES: frozenset({"0008103E", "00200011", "00201209"}),
                Level.INSTANCE: frozenset({"00080016", "00200013"}),
            }
        ),
        limit_min=1,
        page_limits=everywhere(200),
        tells_of_more=False,
        combined_times=False,
        time_zones=False,
    ),
    documents="json",
    accept_lists=False,
    tagged_octets=False,
    pictures=("image/jpeg", "image/png"),
)
