"""Medical Connections DicomObjects, as on dicomserver.co.uk.

Documented, by its own page:

- a base URL of its own for each service: `search_url`, `retrieve_url` and `store_url` are configured apart.
- all six collections can be searched; thumbnails, rendered resources and metadata are there.
- a Store takes uncompressed transfer syntaxes, and answers 200, 202, 409 or 415, in XML or JSON.

Nothing is documented of limits, lists, wildcards or Accept. So it is asked as plainly as can be: one media
range, everything in parts, single values, fields one by one, a limit with every offset.
"""

from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching

MEDICAL_CONNECTIONS = Profile(
    "medical-connections",
    search=Searching(
        separator=None,
        includefield="repeat",
        offset_needs_limit=True,
        combined_times=False,
        time_zones=False,
    ),
    accept_lists=False,
    single_part=False,
    single_part_store=False,
)
