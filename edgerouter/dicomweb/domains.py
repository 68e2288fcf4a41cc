"""Whom a search for a patient concerns: IDs mean something within their assigning authority only, so who
names an issuer is answered by the archives of that domain, and by others under the ID they know.

A source with an issuer is never asked for it: what it does not store it could not match, and its rows say it
once they are here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgerouter.dicom.matching import Matcher
from edgerouter.dicomweb.attribute import read_attribute
from edgerouter.dicomweb.patients import NOBODY, CrossReference, Patient
from edgerouter.dicomweb.query import Match, SearchQuery
from edgerouter.dicomweb.resource import Resource
from edgerouter.dicomweb.rows import ISSUER, PATIENT_ID
from edgerouter.errors import BadRequest

BareIds = Literal["all", "home", "reject"]
"""What a PatientID without an issuer means: everybody's; the home domain's; nothing, so it is refused."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one source is asked: `sent` to it, and what its rows are checked against is `meant`."""

    sent: SearchQuery
    meant: SearchQuery


Questions = Mapping[str, Question]
"""By the sources' names, in the route's order; who is not in it is not concerned."""


def alike(asked: SearchQuery, names: Sequence[str]) -> Questions:
    """The same for everybody."""
    return dict.fromkeys(names, Question(asked, asked))


@dataclass(frozen=True, slots=True)
class Domains:
    """`issuers` are the assigning authorities of the sources' patient IDs, where known; `home` is that of
    our own; `persons` are the patients known to be one."""

    issuers: Mapping[str, str]
    home: str | None = None
    persons: CrossReference = NOBODY

    def questions(
        self, asked: SearchQuery, resource: Resource, names: Sequence[str], bare: BareIds
    ) -> Questions:
        """What each source is asked; raises BadRequest for a bare PatientID where that is refused."""
        if resource.study is not None:
            return alike(asked, names)  # whose study it is, is settled
        issuer = _narrowed(asked, ISSUER)
        if issuer:
            return dict(self._of_domain(asked, issuer, names, others=True))
        if not _narrowed(asked, PATIENT_ID) or bare == "all":
            return alike(asked, names)
        if bare == "reject" or self.home is None:
            raise BadRequest("PatientID is of no use here without IssuerOfPatientID: IDs of domains collide.")
        at_home = _with(asked, ISSUER, self.home)
        return dict(self._of_domain(at_home, (self.home,), names, others=False))

    def _of_domain(
        self, asked: SearchQuery, issuers: Sequence[str], names: Sequence[str], *, others: bool
    ) -> Iterator[tuple[str, Question]]:
        """The sources of a domain, those that know the patient by another ID, and with `others` those
        of which nobody knows the domain."""
        of_domain = Matcher([((ISSUER,), issuers)])
        ids = _narrowed(asked, PATIENT_ID)
        patient = Patient(issuers[0], ids[0]) if len(issuers) == len(ids) == 1 else None
        for name in names:
            own = self.issuers.get(name)
            if own is None:
                if others:
                    yield name, Question(asked, asked)
            elif of_domain({ISSUER: {"Value": [own]}}):
                yield name, Question(_for_own(asked), asked)
            elif patient and (known := self.persons.id_in(own, patient)):
                meant = _with(_with(asked, PATIENT_ID, known), ISSUER, own)
                yield name, Question(_for_own(meant), meant)


def _narrowed(asked: SearchQuery, tag: str) -> tuple[str, ...]:
    """The values of a key that narrows a search, none when it does not."""
    match = asked.match(tag)
    return match.values if match and all(value.strip("* ") for value in match.values) else ()


def _for_own(asked: SearchQuery) -> SearchQuery:
    """The same without the issuer as a key, but as a field: rows of guests say it, and can be told apart."""
    issuer = read_attribute("IssuerOfPatientID")
    there = asked.include_all or any(one.path == (ISSUER,) for one in asked.includefield)
    fields = asked.includefield if there or issuer is None else (*asked.includefield, issuer)
    return replace(_without(asked, ISSUER), includefield=fields)


def _with(asked: SearchQuery, tag: str, value: str) -> SearchQuery:
    attribute = read_attribute(tag)
    assert attribute is not None
    others = _without(asked, tag)
    return replace(others, matches=(*others.matches, Match(attribute, (value,))))


def _without(asked: SearchQuery, tag: str) -> SearchQuery:
    return replace(asked, matches=tuple(one for one in asked.matches if one.attribute.path != (tag,)))
