"""The example rule files load, and their own tests pass."""

from pathlib import Path

import pytest

from edgerouter.config import Config, load
from edgerouter.config.rehearsal import facts_of, rehearse

RULES = Path(__file__).parents[2] / "rules"
UPSTREAMS = {
    "remote-clinic": ["clinic", "hospital"],
    "federation": ["hospital-a", "hospital-b", "hospital-c"],
    "bandwidth-constrained": ["onboard", "shore"],
}


def example(name: str, folder: Path) -> Config:
    upstreams = ", ".join(
        f"{upstream}: {{url: 'https://{upstream}.example/rs'}}" for upstream in UPSTREAMS[name]
    )
    main = folder / "edgerouter.yaml"
    main.write_text(f"upstreams: {{{upstreams}}}\nrules: ['{RULES / name}.yaml']\n")
    return load(main)


def test_every_example_is_tested_here() -> None:
    assert {path.stem for path in RULES.glob("*.yaml")} == set(UPSTREAMS)


@pytest.mark.parametrize("name", UPSTREAMS)
def test_an_example_does_what_its_own_tests_say(name: str, tmp_path: Path) -> None:
    assert rehearse(example(name, tmp_path)) == ()


@pytest.mark.parametrize("name", UPSTREAMS)
def test_every_rule_of_an_example_decides_in_one_of_its_tests(name: str, tmp_path: Path) -> None:
    config = example(name, tmp_path)
    router, decided = config.router(), set()

    for located in config.tests:
        verdicts = router.explain(facts_of(located.test, config.server.time_zone))
        decided |= {next((verdict.rule.name for verdict in verdicts if verdict.unmet is None), None)}

    assert decided >= {rule.name for rule in config.rules}
