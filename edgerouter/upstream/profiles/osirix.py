"""OsiriX as a server.

Nothing is published about its DICOMweb service; as a client it writes `type=application/dicom` without quotes
and wants Explicit VR Little Endian. So it is asked as plainly as can be, and trusted with little: one media
range, everything in parts, a limit with every offset, what it may not know is matched here.
"""

from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching

OSIRIX = Profile(
    "osirix",
    search=Searching(
        separator=None,
        parameters=frozenset(),
        offset_needs_limit=True,
        combined_times=False,
        time_zones=False,
    ),
    accept_lists=False,
    single_part=False,
    single_part_store=False,
)
