"""The configuration as the rest of the house reads it, and the way from files to it: all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, cast

from pydantic import Field

from edgerouter.config.cache import CacheConfig
from edgerouter.config.document import Document, read
from edgerouter.config.patients import PatientsConfig
from edgerouter.config.problems import ConfigError, Problem, shown
from edgerouter.config.report import validate
from edgerouter.config.rule_tests import RuleTest
from edgerouter.config.rules import DEFAULT, RuleFile, names, rules_in
from edgerouter.config.section import Section, Surroundings
from edgerouter.config.server import AdminListener, ServerConfig
from edgerouter.config.upstreams import Upstream
from edgerouter.config.values import Name
from edgerouter.routing.router import Router, Rule

ADMIN_SOCKET = "admin.sock"


class ConfigFile(Section):
    """edgerouter.yaml."""

    later = frozenset({"spool", "links", "identity"})

    server: ServerConfig = ServerConfig()
    upstreams: Annotated[dict[Name, Upstream], Field(min_length=1)]
    cache: Annotated[CacheConfig, Field(validate_default=True)] = cast(CacheConfig, {})
    # Validated like one that was written: its path is relative to this file, too.
    patients: PatientsConfig = PatientsConfig()
    rules: tuple[str, ...] = ()
    """Rule files as globs relative to this file; their rules are tried in this order."""


@dataclass(frozen=True, slots=True)
class Located:
    """A rule test and where it is written."""

    file: str
    line: int
    number: int
    test: RuleTest


@dataclass(frozen=True, slots=True)
class Config:
    """Validated and frozen; `upstreams` in the order of the file, by name."""

    server: ServerConfig
    upstreams: Mapping[str, Upstream]
    cache: CacheConfig
    patients: PatientsConfig
    rules: tuple[Rule, ...] = ()
    tests: tuple[Located, ...] = ()

    def router(self) -> Router:
        return Router(self.rules, tuple(self.upstreams))

    def missing(self) -> tuple[str, ...]:
        """Secrets, certificates and other files that are not there now, a sentence each."""
        token = self.server.admin and self.server.admin.token
        return (
            *(f"server.admin: {what}" for what in (token.missing() if token else ())),
            *(
                f"upstream {name}: {what}"
                for name, upstream in self.upstreams.items()
                for what in upstream.missing()
            ),
            *self.patients.missing(),
        )

    @property
    def admin(self) -> AdminListener | None:
        """Where changes are taken in: without a word about it a socket in the cache's folder, which nobody
        else can enter; nowhere when there is no cache either."""
        if self.server.admin is not None or not self.cache.size:
            return self.server.admin
        return AdminListener(socket=self.cache.path / ADMIN_SOCKET)

    def listening(self, *, host: str | None, port: int | None) -> "Config":
        """The same with another address to listen on, where one is given."""
        given = {"host": host, "port": port}
        update = {key: value for key, value in given.items() if value is not None}
        return replace(self, server=self.server.model_copy(update=update))


def load(path: str | Path) -> Config:
    """The configuration of a file and of the rule files it names; raises ConfigError with every mistake."""
    main = read(Path(path))
    folder = Path(path).parent
    rule_documents = [read(file) for file in _rule_files(main, folder)]
    rule_names = [name for document in rule_documents for name in names(document.data) if name]
    around = Surroundings(folder, _upstream_names(main), frozenset({*rule_names, DEFAULT}))
    file = _checked(ConfigFile, main, around)
    rule_files = [_checked(RuleFile, document, around) for document in rule_documents]
    problems = [problem for document in (main, *rule_documents) for problem in document.problems]
    problems += [*_doubled(rule_documents), *_unreachable(rule_documents)]
    if file:
        problems += [*file.patients.problems(), *([] if file.patients.home else _homeless(rule_documents))]
    if problems or file is None:
        raise ConfigError(problems)
    return _config(file, [(d, f) for d, f in zip(rule_documents, rule_files, strict=True) if f])


def from_upstreams(urls: Sequence[str]) -> Config:
    """A configuration without files: upstream-1, upstream-2, … at these URLs; raises ConfigError."""
    upstreams: Any = {f"upstream-{number}": {"url": url} for number, url in enumerate(urls, start=1)}
    document = Document("--upstream", {"upstreams": upstreams}, {(): (0, 0)})
    file = validate(ConfigFile, document, Surroundings())
    if file is None:
        raise ConfigError(document.problems)
    return _config(file, [])


def _config(file: ConfigFile, rule_files: list[tuple[Document, RuleFile]]) -> Config:
    zone = file.server.time_zone
    return Config(
        server=file.server,
        upstreams=MappingProxyType(file.upstreams),
        cache=file.cache,
        patients=file.patients,
        rules=tuple(rule.compile(zone) for _, rules in rule_files for rule in rules.rules),
        tests=tuple(
            Located(document.file, document.line(("tests", number)), number, test)
            for document, rules in rule_files
            for number, test in enumerate(rules.tests)
        ),
    )


def _checked(model: type[Any], document: Document, around: Surroundings) -> Any:
    """Validated, unless there is nothing to validate; a file that was not read has its problem already."""
    if document.data == "" and document.problems:
        return None
    if not isinstance(document.data, dict):
        document.problems.append(document.problem((), "must be a mapping", "see edgerouter schema"))
        return None
    return validate(model, document, around)


def _upstream_names(document: Document) -> frozenset[str]:
    upstreams = document.data.get("upstreams") if isinstance(document.data, dict) else None
    return frozenset(upstreams if isinstance(upstreams, dict) else ())


def _rule_files(document: Document, folder: Path) -> list[Path]:
    """The files of all globs, each once, in order; a glob that finds none is a problem of the document."""
    globs = document.data.get("rules") if isinstance(document.data, dict) else None
    found: dict[Path, None] = {}
    for index, glob in enumerate(globs if isinstance(globs, list) else ()):
        if not isinstance(glob, str):
            continue  # validation says so
        files = _matching(folder, glob)
        if not files:
            what = f"no file matches {shown(glob)}"
            fix = "paths are relative to this file"
            document.problems.append(document.problem(("rules", index), what, fix))
        found |= dict.fromkeys(files)
    return list(found)


def _matching(folder: Path, glob: str) -> list[Path]:
    try:
        if Path(glob).is_absolute():
            root = Path(Path(glob).anchor)
            return sorted(path for path in root.glob(str(Path(glob).relative_to(root))) if path.is_file())
        return sorted(path for path in folder.glob(glob) if path.is_file())
    except (ValueError, IndexError, OSError):  # what pathlib says of patterns it cannot use
        return []


def _doubled(documents: list[Document]) -> list[Problem]:
    """Rule names are unique over all files: metrics, logs and tests know a rule by its name."""
    first: dict[str, str] = {}
    problems = []
    for document in documents:
        for index, name in enumerate(names(document.data)):
            place = ("rules", index, "name")
            if name in first:
                what = f"the name {shown(name)} is taken, at {first[name]}"
                problems.append(document.problem(place, what, "rename one"))
            elif name:
                first[name] = f"{document.file}:{document.line(place)}"
    return problems


def _homeless(documents: list[Document]) -> list[Problem]:
    """Rules that speak of the home domain of a configuration without one."""
    what, fix = "needs a home", "write patients: {home: ISSUER} in the configuration"
    return [
        document.problem(("rules", index, "route", "bare_ids"), what, fix)
        for document in documents
        for index, rule in enumerate(rules_in(document.data))
        if isinstance(rule, dict) and isinstance(route := rule.get("route"), dict)
        if route.get("bare_ids") == "home"
    ]


def _unreachable(documents: list[Document]) -> list[Problem]:
    """A rule after one that matches everything: nobody would notice that it is never asked."""
    places = [
        (document, index, rule.get("match") == {})
        for document in documents
        for index, rule in enumerate(rules_in(document.data))
        if isinstance(rule, dict)
    ]
    ends = [position for position, (_, _, matches_all) in enumerate(places) if matches_all]
    after = places[ends[0] + 1 :] if ends else []
    what = "is never reached: a rule before it has match: {}"
    return [document.problem(("rules", index), what, "move it up") for document, index, _ in after]
