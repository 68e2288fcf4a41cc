"""dcm4chee-arc-light 5.

Documented, by its source and its issues:

- searches: `limit` from 1 to 99999, else 400; a name that is neither a parameter it knows nor an attribute is
  400; every raw value is divided at literal commas, while `%2C` stays within a value; fields are safest
  repeated; no match is 204; a Warning tells of further results.
- instances, frames and bulk data come as multipart (or zip) only, else 406.
- 206 without Content-Range says that some objects cannot be had.
- strong ETags on what is retrieved; a Store is 200, 202 or 409, its answer in JSON or XML by Accept.
"""

from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching, everywhere

DCM4CHEE = Profile(
    "dcm4chee",
    search=Searching(includefield="repeat", limit_min=1, page_limits=everywhere(99999)),
    single_part=False,
)
