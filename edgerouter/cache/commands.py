"""What an operator may ask of a cache, as it is written (JSON), checked: pure."""

from typing import Annotated, Literal

import msgspec

from edgerouter.cache.survey import Order
from edgerouter.cache.verifying import RATE

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
_Uid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]+(\.[0-9]+)*\Z", max_length=64)]
_Age = Annotated[float, msgspec.Meta(gt=0)]


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None means not given."""


class Stats(_Command, frozen=True):
    """How full the cache is, and what happened."""


class Ls(_Command, frozen=True):
    """The studies that are here; `patients` shows whose they are."""

    upstream: _Text | None = None
    order: Order = "used"
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    patients: bool = False


class Pins(_Command, frozen=True):
    """What is pinned."""


class Pin(_Command, frozen=True):
    """Pin a study, or what a query finds; at one upstream or at all."""

    study: _Uid | None = None
    query: _Text | None = None
    upstream: _Text | None = None


class Unpin(Pin, frozen=True):
    """Take exactly that pin back."""


class Purge(_Command, frozen=True):
    """Take studies out: those that all of these hold for; `everything` where none is given.

    Ages and `wait` are in seconds.
    """

    study: _Uid | None = None
    upstream: _Text | None = None
    patient: _Text | None = None
    issuer: _Text | None = None
    unused_for: _Age | None = None
    stored_before: _Age | None = None
    everything: bool = False
    wait: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 60.0


class Verify(_Command, frozen=True):
    """Check digests: of all units, those of a study, of an upstream, or of both; `rate` in bytes/second."""

    study: _Uid | None = None
    upstream: _Text | None = None
    rate: Annotated[int, msgspec.Meta(ge=1_000_000)] = RATE


class Stop(_Command, frozen=True):
    """End the verification that goes on."""


Command = Stats | Ls | Pins | Pin | Unpin | Purge | Verify | Stop
Name = Literal["stats", "ls", "pins", "pin", "unpin", "purge", "verify", "stop"]
COMMANDS: dict[str, type[Command]] = {
    "stats": Stats,
    "ls": Ls,
    "pins": Pins,
    "pin": Pin,
    "unpin": Unpin,
    "purge": Purge,
    "verify": Verify,
    "stop": Stop,
}
READING = frozenset({"stats", "ls", "pins"})  # change nothing


class Refused(Exception):
    """A command is not carried out; the text is for the operator."""


def command(name: str, arguments: object, *, strict: bool = True) -> Command:
    """The command of that name, from what JSON has, or with `strict` False from texts. Raises Refused."""
    try:
        return msgspec.convert(arguments, COMMANDS[name], strict=strict)
    except msgspec.ValidationError as error:
        raise Refused(f"The arguments of {name} are not valid: {error}.") from None
