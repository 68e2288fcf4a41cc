"""The `patients` section: whose ID is whose, where several hospitals number their patients."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import model_validator
from pydantic.types import StringConstraints

from edgerouter.config.problems import Mistake, Problem
from edgerouter.config.section import FilePath, Section
from edgerouter.dicomweb.domains import BareIds
from edgerouter.dicomweb.patients import MappingError, read_mapping

Issuer = Annotated[str, StringConstraints(pattern=r"^[^\\^&\n\t]{1,64}$")]


class PatientsConfig(Section):
    """Patients are (issuer, PatientID); the issuers are the upstreams'."""

    home: Issuer | None = None
    """Our own assigning authority, for `bare_ids: home`."""
    bare_ids: BareIds = "all"
    """A PatientID without IssuerOfPatientID: `all` upstreams are asked, and every row says whose ID it is;
    `home` means a patient of the home domain, wherever known; `reject` is 400."""
    mapping: FilePath | None = None
    """Cross-referenced patients, one person a line: issuer,id,issuer,id[,…]. Read again when it changes."""

    @model_validator(mode="after")
    def _has_a_home(self) -> Self:
        if self.bare_ids == "home" and self.home is None:
            raise Mistake("bare_ids: home needs a home", "write home: ISSUER beside it")
        return self

    def problems(self) -> Iterator[Problem]:
        """What is wrong in the mapping file, if it is there; blocks."""
        if self.mapping is None or self.missing():
            return
        try:
            read_mapping(self.mapping.read_text("utf-8-sig"))
        except MappingError as error:
            for line, what in error.problems:
                yield Problem(str(self.mapping), line, "", what)
        except UnicodeDecodeError:
            yield Problem(str(self.mapping), 0, "", "is not UTF-8")

    def missing(self) -> tuple[str, ...]:
        """The mapping file, when it is not there now."""
        if self.mapping is None or self.mapping.is_file():
            return ()
        return (f"patients: file {self.mapping} is not there",)
