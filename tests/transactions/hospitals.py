"""Hospitals that several of these tests search."""

from typing import Any

from tests.support.hospital import Hospital, Study, attribute
from tests.transactions.ask import House

ALL = ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]


def dated(uid: str, date: str, *instances: str, **more: Any) -> Study:
    attributes = {"00080020": attribute("DA", date), **{tag[1:]: each for tag, each in more.items()}}
    return Study(uid, attributes, {f"{uid}.1": instances or (f"{uid}.1.1",)})


def three() -> House:
    """Studies 1 to 6, newest first; 3 and 4 at two archives each."""
    return House.over(
        Hospital("north", [dated("1.1", "20200106"), dated("1.3", "20200104"), dated("1.4", "20200103")]),
        Hospital("south", [dated("1.3", "20200104"), dated("1.6", "20200101")]),
        Hospital("west", [dated("1.5", "20200102"), dated("1.4", "20200103"), dated("1.2", "20200105")]),
    )
