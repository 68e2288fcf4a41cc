"""Who is who: a patient is (issuer, PatientID); only a cross-reference says that two of them are one person.

A cross-reference is made elsewhere (IHE PIX); here it is a CSV file, one person a line:

    HOSP-A,4711,HOSP-B,0815
    HOSP-A,4712,HOSP-B,0816,HOSP-C,X-77

Lines that name the same patient belong together. An ID never equals another by its letters alone."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

MAX_FILE = 64 << 20  # bytes of a mapping file
_LONGEST = 64  # characters (LO)
_HEADER = ["issuer", "id"]


class Patient(NamedTuple):
    """`issuer` is the assigning authority (0010,0021) of the ID (0010,0020); "" is for what nobody says."""

    issuer: str
    id: str

    def differs(self, other: "Patient") -> bool:
        """Whether the two are not the same patient, where both say it."""
        return any(mine and its and mine != its for mine, its in zip(self, other, strict=True))


class MappingError(ValueError):
    """A mapping file that cannot be used; `problems` are lines and what is wrong there, without a value."""

    def __init__(self, problems: Iterable[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"line {line}: {what}" for line, what in self.problems[:3]))


class CrossReference:
    """Which patients of several domains are one person. `persons` gives each person's IDs by issuer."""

    def __init__(self, persons: Iterable[Mapping[str, str]] = ()) -> None:
        self._persons = {Patient(*pair): person for person in persons for pair in person.items()}

    def __len__(self) -> int:
        """How many patients it knows."""
        return len(self._persons)

    def id_in(self, issuer: str, patient: Patient) -> str | None:
        """The ID by which that domain knows the patient, None when nobody says so."""
        return patient.id if issuer == patient.issuer else self._persons.get(patient, {}).get(issuer)

    def differ(self, one: Patient, other: Patient) -> bool:
        """Whether two patients are not one person, as far as both are said."""
        return one.differs(other) and self.id_in(other.issuer, one) != other.id


NOBODY = CrossReference()
"""The cross-reference that knows no person."""


def read_mapping(text: str) -> CrossReference:
    """The cross-reference that a mapping file says; raises MappingError with everything that is wrong."""
    joined = _Joined()
    problems: list[tuple[int, str]] = []
    for line, fields in _lines(text):
        if what := _wrong(fields):
            problems.append((line, what))
            continue
        pairs = zip(fields[::2], fields[1::2], strict=True)
        if not joined.join([Patient(*pair) for pair in pairs]):
            problems.append((line, "makes two IDs of one issuer the same person"))
    if problems:
        raise MappingError(problems)
    return CrossReference(joined.persons())


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that say something, with their numbers, fields stripped; a header is none of them."""
    reader = csv.reader(text.splitlines(), strict=True)
    while True:
        try:
            fields = [field.strip() for field in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            raise MappingError([(reader.line_num, "is not CSV")]) from None
        heads = fields[:2] == _HEADER and fields == _HEADER * (len(fields) // 2)
        if any(fields) and not fields[0].startswith("#") and not (heads and reader.line_num == 1):
            yield reader.line_num, fields


def _wrong(fields: list[str]) -> str | None:
    if len(fields) % 2 or len(fields) < 4:
        return "must be issuer,id pairs, two or more of them"
    if not all(fields):
        return "has an empty issuer or ID"
    if any(len(field) > _LONGEST or not field.isprintable() or "\\" in field for field in fields):
        return f"has a field that is no issuer or ID: more than {_LONGEST} characters, or one that none holds"
    return None


class _Joined:
    """Persons while their lines are read: each patient leads to the person it belongs to."""

    def __init__(self) -> None:
        self._person: dict[Patient, dict[str, str]] = {}

    def join(self, patients: Iterable[Patient]) -> bool:
        """These are one person; False when an issuer would have two IDs for it, and then nothing changes."""
        found = list(patients)
        known = {id(person): person for one in found if (person := self._person.get(one)) is not None}
        whole: dict[str, str] = {}
        for issuer, value in (*(pair for each in known.values() for pair in each.items()), *found):
            if whole.setdefault(issuer, value) != value:
                return False
        self._person |= {Patient(*pair): whole for pair in whole.items()}
        return True

    def persons(self) -> Iterator[Mapping[str, str]]:
        return iter({id(person): person for person in self._person.values()}.values())
