"""Quirks as people write them: facts with names, checked like everything else."""

from pathlib import Path

import pytest

from edgerouter.config import Config, ConfigError, load
from edgerouter.fittings import archive
from edgerouter.upstream.archive import HttpArchive
from edgerouter.upstream.translating import TranslatingArchive


def written(folder: Path, upstream: str) -> Config:
    (folder / "edgerouter.yaml").write_text(f"upstreams: {{a: {{{upstream}}}}}")
    return load(folder / "edgerouter.yaml")


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("true", True), ("no", False), ("false", False)])
def test_facts_are_true_or_not_as_yaml_has_it(tmp_path: Path, text: str, value: bool) -> None:
    config = written(tmp_path, f"url: 'http://h/', quirks: {{wildcards: {text}, lists: no}}")

    assert config.upstreams["a"].quirks.wildcards is value
    assert config.upstreams["a"].quirks.lists == "no"


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ("wildcards: maybe", "'maybe' is neither yes nor no; write yes or no"),
        ("page_limits: 5", "unknown key 'page_limits'; did you mean page_limit"),
        ("page_limit: 0", "quirks.page_limit"),
        ("keys: [PatientId]", "unknown attribute 'PatientId'; did you mean PatientID"),
        ("lists: ';'", "quirks.lists"),
        ("documents: yaml", "quirks.documents"),
    ],
)
def test_a_slip_is_told_with_its_place(tmp_path: Path, quirks: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, f"url: 'http://h/', quirks: {{{quirks}}}")

    assert said in str(caught.value)


def test_a_folder_has_no_quirks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quirks does not go with folder"):
        written(tmp_path, "folder: x, quirks: {wildcards: no}")


async def test_an_archive_is_made_with_its_profile_and_quirks(tmp_path: Path) -> None:
    config = written(tmp_path, "url: 'http://h/', profile: google, quirks: {page_limit: 50}")
    async with archive("a", config.upstreams["a"]) as made:
        assert type(made) is HttpArchive
        assert made.profile.name == "google"
        assert set(made.profile.search.page_limits.values()) == {50}


@pytest.mark.parametrize("upstream", ["profile: azure", "quirks: {documents: xml}"])
async def test_an_archive_of_one_form_is_translated(tmp_path: Path, upstream: str) -> None:
    config = written(tmp_path, f"url: 'http://h/', {upstream}")
    async with archive("a", config.upstreams["a"]) as made:
        assert isinstance(made, TranslatingArchive)
