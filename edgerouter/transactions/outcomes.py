"""What is said of a search whose sources did not all answer: warnings beside the rows of the others, or one
error when nobody answered (law 5)."""

import re
from collections.abc import Iterator, Sequence

from edgerouter.errors import ContentTooLarge, NotFound, RouterError
from edgerouter.http.proxy_status import proxy_status
from edgerouter.transactions.sources import Source

_UNSUPPORTED = re.compile(
    r"The (?:fuzzymatching|emptyvaluematching|multiplevaluematching) parameter is not supported\.[^\"]*"
)
# What every source says alike is said as it is; all that has no meaning to the client is one bad gateway.
_ALIKE = {400: 400, 403: 403, 404: 404, 413: 413, 429: 503, 503: 503, 504: 504}


def failure(sources: Sequence[Source], *, strict: bool) -> RouterError | None:
    """The error that a search of these outcomes is; None when it can be answered, and when nobody had to
    be asked.

    `strict` is a rule's wish to have every source or none."""
    if not sources:
        return None
    failed = [source for source in sources if source.error is not None]
    if all(source.absent for source in sources):
        return NotFound("No archive of this route holds what was searched in.")
    if not any(source.answered for source in sources):
        return _nobody(failed)
    if strict and failed:
        late = all(source.outcome == "timeout" for source in failed)
        return _error(504 if late else 502, failed, "The rule wants every archive; missing")
    if strict and any(source.truncated for source in sources):
        return ContentTooLarge("There are more matches than are taken from one archive; narrow the search.")
    return None


def unproven(sources: Sequence[Source]) -> RouterError | None:
    """The error that it is when nothing was found of a study, and somebody who may hold it did not say."""
    failed = [source for source in sources if source.error is not None]
    return _nobody(failed) if failed else None


def _nobody(failed: Sequence[Source]) -> RouterError:
    statuses = {_ALIKE.get(source.error.status, 502) for source in failed if source.error}
    status = statuses.pop() if len(statuses) == 1 else 502
    return _error(status, failed, "No archive answered")


def _error(status: int, failed: Sequence[Source], what: str) -> RouterError:
    """The failures in one, with the longest pause that was asked for."""
    names = ", ".join(f"{source.name} ({source.outcome})" for source in failed)
    errors = [source.error for source in failed if source.error]
    said = [pair for error in errors for pair in error.fields]
    kept = []
    if status == 503:
        pauses = [int(value) for name, value in said if name == "retry-after" and value.isdecimal()]
        kept.append(("retry-after", str(max(pauses, default=5))))
    one = RouterError(f"{what}: {names}.", upstream=failed[0].name if len(failed) == 1 else None, fields=kept)
    tokens = {error.token for error in errors}
    one.status, one.token = status, tokens.pop() if len(tokens) == 1 else "destination_unavailable"
    return one


def warnings(sources: Sequence[Source], public: str) -> tuple[str, ...]:
    """The Warning lines that every page of the answer carries, each once (PS3.18 §8.3.4.4)."""
    return tuple(dict.fromkeys(f"299 {public}: {text}" for source in sources for text in _texts(source)))


def _texts(source: Source) -> Iterator[str]:
    if source.held:
        what = f"{source.held} of its results are of copies held here, and may be out of date and incomplete"
        yield f"Source {source.name} did not answer ({source.outcome}); {what}"
    elif source.error is not None:
        yield f"Source {source.name} did not answer ({source.outcome}); results may be incomplete"
    if source.truncated:
        yield f"Source {source.name} has more matches than were taken; narrow the search"
    if source.unusable:
        yield f"Source {source.name} sent matches that name nothing; results may be incomplete"
    if source.unmatched:
        names = ", ".join(sorted(source.unmatched))
        yield f"Source {source.name} neither matches nor returns {names}; its results may not match"
    yield from source.told
    yield from filter(None, map(unsupported, source.warnings))


def proxy_statuses(sources: Sequence[Source]) -> tuple[str, ...]:
    """One Proxy-Status member (RFC 9209) for each source that failed."""
    return tuple(proxy_status(source.error, source.name) for source in sources if source.error is not None)


def unsupported(line: str) -> str | None:
    """The text by which a source says that it did not match as asked (PS3.18 §8.3.4), without its agent."""
    found = _UNSUPPORTED.search(line)
    return found[0].strip() if found else None
