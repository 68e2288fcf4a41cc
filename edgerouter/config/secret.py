"""Secrets by reference: the configuration names where one is kept, and reads it when it is needed."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.types import StringConstraints

from edgerouter.config.problems import Mistake
from edgerouter.config.section import FilePath, Section

MAX_SECRET = 16 * 1024


class SecretMissing(Exception):
    """A secret is not where the configuration says; the text names the place, never the value."""


class Secret(Section):
    """Where a secret is kept; repr and str show the place only."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: Annotated[str, StringConstraints(min_length=1)] | None = None
    """An environment variable."""
    file: FilePath | None = None
    """A file, relative to the configuration; one line break at its end is not part of the secret."""

    @model_validator(mode="before")
    @classmethod
    def _only_by_reference(cls, data: Any) -> Any:
        if isinstance(data, cls) or (isinstance(data, dict) and data.keys() in ({"env"}, {"file"})):
            return data
        # The report repeats nothing of it: it may be the secret itself.
        raise Mistake("a secret is not written here", "write {env: NAME} or {file: PATH}")

    def reveal(self) -> str:
        """The secret, read now; raises SecretMissing."""
        text, place = self._from_file(self.file) if self.file else self._from_environment()
        if not text:
            raise SecretMissing(f"{place} is not set")
        if not text.isascii() or not text.isprintable():
            raise SecretMissing(f"{place} holds characters that no header field can carry")
        return text

    def missing(self) -> Iterator[str]:
        """Why it cannot be revealed now, if it cannot."""
        try:
            self.reveal()
        except SecretMissing as error:
            yield str(error)

    def _from_environment(self) -> tuple[str, str]:
        return os.environ.get(str(self.env), ""), f"environment variable {self.env}"

    def _from_file(self, path: Path) -> tuple[str, str]:
        try:
            with path.open("rb") as stream:
                text = stream.read(MAX_SECRET).decode("ascii", "replace")
        except OSError as error:
            raise SecretMissing(f"file {path} cannot be read: {error.strerror}") from None
        return text.removesuffix("\n").removesuffix("\r"), f"file {path}"


class BasicAuth(Section):
    """RFC 7617."""

    type: Literal["basic"]
    username: Annotated[str, StringConstraints(pattern=r"^[ -9;-~]+$")]
    """ASCII without a colon."""
    password: Secret

    def authorization(self) -> str:
        """The Authorization value; raises SecretMissing."""
        pair = f"{self.username}:{self.password.reveal()}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    @property
    def secret(self) -> Secret:
        return self.password


class BearerAuth(Section):
    """RFC 6750."""

    type: Literal["bearer"]
    token: Secret

    def authorization(self) -> str:
        """The Authorization value; raises SecretMissing."""
        return f"Bearer {self.token.reveal()}"

    @property
    def secret(self) -> Secret:
        return self.token


class HeaderAuth(Section):
    """A literal Authorization value, for schemes that we do not know."""

    type: Literal["header"]
    value: Secret

    def authorization(self) -> str:
        """The Authorization value; raises SecretMissing."""
        return self.value.reveal()

    @property
    def secret(self) -> Secret:
        return self.value


Auth = Annotated[BasicAuth | BearerAuth | HeaderAuth, Field(discriminator="type")]
