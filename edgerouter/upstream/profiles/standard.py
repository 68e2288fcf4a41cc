"""An archive that does what PS3.18 says, and no more than that is known of it."""

from edgerouter.upstream.profiles.profile import Profile

STANDARD = Profile("standard")
