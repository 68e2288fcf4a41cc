"""The archive products, each with what is documented or measured of it in a file of its own."""

from collections.abc import Mapping
from types import MappingProxyType

from edgerouter.upstream.profiles.accept import spell_accept
from edgerouter.upstream.profiles.aws import AWS
from edgerouter.upstream.profiles.azure import AZURE
from edgerouter.upstream.profiles.dcm4chee import DCM4CHEE
from edgerouter.upstream.profiles.google import GOOGLE
from edgerouter.upstream.profiles.medical_connections import MEDICAL_CONNECTIONS
from edgerouter.upstream.profiles.orthanc import ORTHANC
from edgerouter.upstream.profiles.osirix import OSIRIX
from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import PARAMETERS, Searching, everywhere
from edgerouter.upstream.profiles.standard import STANDARD

__all__ = [
    "AWS",
    "AZURE",
    "DCM4CHEE",
    "GOOGLE",
    "MEDICAL_CONNECTIONS",
    "ORTHANC",
    "OSIRIX",
    "PARAMETERS",
    "PROFILES",
    "STANDARD",
    "Profile",
    "Searching",
    "everywhere",
    "spell_accept",
]

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {one.name: one for one in (STANDARD, ORTHANC, DCM4CHEE, GOOGLE, AZURE, AWS, MEDICAL_CONNECTIONS, OSIRIX)}
)
