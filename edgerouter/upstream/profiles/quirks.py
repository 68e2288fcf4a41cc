"""A profile with some of its facts changed for one archive, as its operator knows it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from edgerouter.dicomweb.attribute import read_attribute
from edgerouter.upstream.profiles.profile import Profile
from edgerouter.upstream.profiles.searching import Searching, everywhere

_SEARCHING = frozenset(field.name for field in fields(Searching))


def with_quirks(profile: Profile, quirks: Mapping[str, Any]) -> Profile:
    """The profile with these facts, named as Searching and Profile name them, but for `page_limit`, `lists`
    ("no" for none) and `fuzzymatching`; `keys` and `ranges` are keywords or tags."""
    said = dict(quirks)
    search = {name: said.pop(name) for name in list(said) if name in _SEARCHING}
    for name in search.keys() & {"keys", "ranges"}:
        search[name] = frozenset(map(_tag, search[name]))
    if (limit := said.pop("page_limit", None)) is not None:
        search["page_limits"] = everywhere(limit)
        search.setdefault("tells_of_more", False)  # one that cuts pages need not say so
    if (separator := said.pop("lists", None)) is not None:
        search["separator"] = None if separator == "no" else separator
    if (fuzzy := said.pop("fuzzymatching", None)) is not None:
        others = profile.search.parameters - {"fuzzymatching"}
        search["parameters"] = others | ({"fuzzymatching"} if fuzzy else frozenset())
    return replace(profile, search=replace(profile.search, **search), **said)


def _tag(name: str) -> str:
    attribute = read_attribute(name)
    return attribute.tag if attribute else name
