"""README.md names every metric with its help, and no other."""

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from edgerouter import metrics
from edgerouter.admin import CacheStatus
from tests.admin.examples import Stats
from tests.admin.test_exposition import scraped

README = Path(__file__).parents[2] / "README.md"
_ROW = re.compile(r"^\| `((?:edgerouter|process)_[a-z_]+)` \| (\w+) \| .* \| (.+) \|$", re.MULTILINE)
_LABELS = re.compile(r"^\| `(edgerouter_\w+)` \| \w+ \| (.*?) ?\|", re.MULTILINE)


async def exported() -> dict[str, tuple[str, str]]:
    """Type and help of every metric, by the name that a query uses (for a histogram, without its endings)."""

    async def cache() -> CacheStatus | None:
        return Stats()

    text = (await scraped(cache)).body.decode()
    return {
        family.name + "_total" * (family.type == "counter"): (family.type, family.documentation)
        for family in text_string_to_metric_families(text)
    }


async def test_every_metric_is_in_the_readme_with_its_type_and_help() -> None:
    documented = {name: (kind, help) for name, kind, help in _ROW.findall(README.read_text("utf-8"))}
    known = await exported()

    assert documented.keys() == known.keys()
    ours = {name: what for name, what in known.items() if name.startswith("edgerouter_")}
    assert {name: documented[name] for name in ours} == ours


def test_every_label_is_in_the_readme() -> None:
    documented = dict(_LABELS.findall(README.read_text("utf-8")))
    known = {
        f"{metric._name}{'_total' * isinstance(metric, Counter)}": ", ".join(
            f"`{label}`" for label in metric._labelnames
        )
        for metric in vars(metrics).values()
        if isinstance(metric, Counter | Gauge | Histogram)
    }

    assert {name: documented[name].strip() for name in known} == known
