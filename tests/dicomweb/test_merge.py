"""Merging by UID and by attribute: no chimera, no double, one order."""

import json
from dataclasses import replace
from typing import Any

import pytest

from edgerouter.dicomweb.merge import Merged, Merger, grouped, merge
from edgerouter.dicomweb.patients import read_mapping
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row

STUDIES = Resource(Kind.COLLECTION, Level.STUDY)
PUBLIC = "https://edge/dicomweb"
MERGER = Merger(Level.STUDY, PUBLIC, ("a", "b", "c"))


def tagged(tag: str, value: Any) -> dict[str, Any]:
    return {f"t{tag}": value}


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def study(uid: str = "1.2", count: int | None = None, **more: Any) -> dict[str, Any]:
    """A row; attributes are given as `t00100020=…`."""
    row = {"0020000D": attribute("UI", uid)}
    row |= {"00201208": attribute("IS", count)} if count is not None else {}
    return row | {tag[1:]: value for tag, value in more.items()}


def row(source: str, attributes: dict[str, Any]) -> Row:
    return read(json.dumps(attributes).encode(), STUDIES, source)


def merged(*rows: Row) -> list[Merged]:
    return merge(rows, MERGER)


def one(*found: dict[str, Any]) -> Merged:
    """What the rows of a, b, c make together, which is one match."""
    (match,) = merged(*(row(source, each) for source, each in zip("abc", found, strict=False)))
    return match


def body(match: Merged) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(match.body)
    return found


def value(match: Merged, tag: str) -> list[Any] | None:
    found: list[Any] | None = body(match).get(tag, {}).get("Value")
    return found


def test_a_study_at_two_sources_is_one_row_with_the_larger_count_and_all_modalities() -> None:
    match = one(study(count=3, t00080061=attribute("CS", "CT")), study(t00201208=attribute("IS", "5"),
                t00080061=attribute("CS", "SR", "CT")))  # fmt: skip

    assert body(match)["00201208"] == {"vr": "IS", "Value": ["5"]}
    assert value(match, "00080061") == ["SR", "CT"]
    assert value(match, "00081190") == [f"{PUBLIC}/studies/1.2"]
    assert match.sources == {"b": 5, "a": 3}
    assert list(match.sources) == ["b", "a"]


def test_between_equals_the_route_s_order_decides() -> None:
    matches = merged(
        row("b", study(t00200010=attribute("SH", "b"))), row("a", study(t00200010=attribute("SH", "a")))
    )

    assert [(list(match.sources), value(match, "00200010")) for match in matches] == [(["a", "b"], ["a"])]


def test_the_patient_comes_whole_from_the_better_holder() -> None:
    match = one(
        study(count=9, t00100020=attribute("LO", "7")),
        study(
            count=1,
            t00100010=attribute("PN", {"Alphabetic": "Other^Patient"}),
            t00100020=attribute("LO", "7"),
            t00100040=attribute("CS", "F"),
        ),
    )

    patient = {tag: each for tag, each in body(match).items() if tag.startswith("0010")}
    assert patient == {"00100020": attribute("LO", "7")}


def test_a_better_holder_that_says_nothing_of_the_patient_takes_the_other_s_whole() -> None:
    match = one(
        study(count=9, t00100020=attribute("LO"), t00104000=attribute("LT")),
        study(count=1, t00100020=attribute("LO", "7"), t00100040=attribute("CS", "F")),
    )

    patient = {tag: each for tag, each in body(match).items() if tag.startswith("0010")}
    assert patient == {"00100020": attribute("LO", "7"), "00100040": attribute("CS", "F")}


@pytest.mark.parametrize("tag", ["00080050", "00080051", "00080090", "00081030", "0008103E", "00200010"])
def test_an_empty_attribute_of_the_study_is_filled_from_another_copy(tag: str) -> None:
    match = one(
        study(count=9, **tagged(tag, attribute("LO"))), study(count=1, **tagged(tag, attribute("LO", "x")))
    )

    assert value(match, tag) == ["x"]


@pytest.mark.parametrize("tag", ["00091001", "00090010", "00400275", "0008002A"])
def test_anything_else_is_the_better_holder_s_alone(tag: str) -> None:
    match = one(study(count=9), study(count=1, **tagged(tag, attribute("LO", "x"))))

    assert tag not in body(match)


@pytest.mark.parametrize(
    ("tag", "vr", "conflict"),
    [
        ("00100020", "LO", True),
        ("00100021", "LO", True),
        ("00100030", "DA", False),
        ("00100040", "CS", False),
    ],
)
def test_nothing_is_filled_between_two_patients(tag: str, vr: str, conflict: bool) -> None:
    match = one(
        study(count=9, **tagged(tag, attribute(vr, "7"))),
        study(count=1, t00081030=attribute("LO", "Head"), **tagged(tag, attribute(vr, "8"))),
    )

    assert match.conflict is conflict
    assert "00081030" not in body(match)
    assert value(match, tag) == ["7"]


TWO_PATIENTS = (
    study(count=9, t00100020=attribute("LO", "7"), t00100021=attribute("LO", "A")),
    study(count=1, t00100020=attribute("LO", "7"), t00100021=attribute("LO", "B")),
    study(count=5, t00081030=attribute("LO", "Head")),
)


def test_a_rule_may_want_a_row_for_each_patient() -> None:
    rows = [row(source, each) for source, each in zip("abc", TWO_PATIENTS, strict=True)]

    matches = merge(rows, replace(MERGER, apart=True))

    assert [(value(match, "00100021"), list(match.sources)) for match in matches] == [
        (["A"], ["a", "c"]),  # who names no patient is with the better holder
        (["B"], ["b"]),
    ]
    assert all(match.conflict for match in matches)
    assert matches[0].order < matches[1].order
    assert [value(match, "00081030") for match in matches] == [["Head"], None]


def test_else_they_are_one_row_of_the_better_holder_s_patient() -> None:
    match = one(*TWO_PATIENTS)

    assert (match.conflict, value(match, "00100021"), list(match.sources)) == (True, ["A"], ["a", "c", "b"])


def test_two_ids_of_one_person_are_no_conflict_and_keep_each_site_s_own() -> None:
    merger = replace(MERGER, apart=True, persons=read_mapping("A,7,B,99"))
    here = study(count=9, t00100020=attribute("LO", "7"), t00100021=attribute("LO", "A"))
    there = study(
        count=1,
        t00100020=attribute("LO", "99"),
        t00100021=attribute("LO", "B"),
        t00081030=attribute("LO", "Head"),
    )

    [match] = merge([row("a", here), row("b", there)], merger)

    assert not match.conflict
    patient = {tag: each for tag, each in body(match).items() if tag.startswith("0010")}
    assert patient == {"00100020": attribute("LO", "7"), "00100021": attribute("LO", "A")}
    assert value(match, "00081030") == ["Head"]


def test_a_source_s_issuer_stands_beside_an_id_that_has_none() -> None:
    bare = json.dumps(study(t00100020=attribute("LO", "7"))).encode()
    nobody = json.dumps(study(t00100020=attribute("LO"))).encode()
    named = json.dumps(study(t00100020=attribute("LO", "7"), t00100021=attribute("LO", "B"))).encode()

    found = [MERGER.merged(read(raw, STUDIES, "a", "HOSP-A")) for raw in (bare, nobody, named)]

    assert [value(match, "00100021") for match in found] == [["HOSP-A"], None, ["B"]]


def test_the_same_id_of_two_issuers_is_two_patients() -> None:
    rows = [
        read(json.dumps(study(t00100020=attribute("LO", "7"))).encode(), STUDIES, source, issuer)
        for source, issuer in (("a", "HOSP-A"), ("b", "HOSP-B"))
    ]

    [match] = merge(rows, MERGER)

    assert match.conflict


def test_counts_of_sources_that_share_nothing_are_summed() -> None:
    merger = replace(MERGER, counts="sum")
    rows = [
        row("a", study(count=3, t00201206=attribute("IS", "2"))),
        row("b", study(count=4, t00201206=attribute("IS", 1))),
        row("c", study()),
    ]

    [match] = merge(rows, merger)

    assert (body(match)["00201208"], value(match, "00201206")) == ({"vr": "IS", "Value": [7]}, [3])


def test_an_offset_from_utc_never_joins_another_source_s_date() -> None:
    match = one(
        study(count=9, t00080201=attribute("SH", "+0100")),
        study(t00080020=attribute("DA", "20200101"), t00080030=attribute("TM", "1000")),
    )

    assert value(match, "00080020") == ["20200101"]
    assert "00080201" not in body(match)
    assert (
        match.order
        == row("a", study(t00080020=attribute("DA", "20200101"), t00080030=attribute("TM", "1000"))).order
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([(5, "NEARLINE"), (2, "ONLINE")], "NEARLINE"),  # who has all of it speaks for it
        ([(5, None), (2, "OFFLINE"), (2, "ONLINE")], "OFFLINE"),  # nobody who has all of it says: the slowest
        ([(5, "OFFLINE"), (5, "ONLINE")], "ONLINE"),
        ([(None, "ONLINE"), (None, "NEARLINE")], "NEARLINE"),
        ([(5, "ANYHOW"), (2, None)], "ANYHOW"),
    ],
)
def test_availability_is_that_of_a_whole_copy_or_else_the_worst(
    found: list[tuple[int | None, str | None]], said: str
) -> None:
    rows = [
        study(count=count, t00080056=attribute("CS", word) if word else attribute("CS"))
        for count, word in found
    ]

    assert value(one(*rows), "00080056") == [said]


def test_only_transfer_syntaxes_that_all_have_are_promised() -> None:
    match = one(
        study(count=9, t00083002=attribute("UI", "1.1", "1.2", "1.3")),
        study(count=1, t00083002=attribute("UI", "1.3", "1.2")),
        study(count=1),
    )

    assert value(match, "00083002") == ["1.2", "1.3"]


def test_application_entities_are_united_and_empty_values_left_out() -> None:
    match = one(
        study(count=1, t00080054=attribute("AE", "B", None), t00080062=attribute("UI", "")),
        study(count=2, t00080054=attribute("AE", "A")),
    )

    assert value(match, "00080054") == ["A", "B"]
    assert "00080062" not in body(match)


def test_one_archive_s_counts_of_the_patient_are_not_the_patient_s() -> None:
    lone = row("a", study(t00201200=attribute("IS", 4)))

    assert "00201200" not in body(merged(lone)[0])
    assert "00201200" in body(Merger(Level.STUDY, PUBLIC, ("a",)).merged(lone))


def test_the_character_set_of_one_source_is_not_that_of_several() -> None:
    match = one(study(t00080005=attribute("CS", "ISO_IR 100")), study(t00080005=attribute("CS", "GB18030")))

    assert "00080005" not in body(match)


@pytest.mark.parametrize("modalities", [attribute("CS"), attribute("CS", ""), attribute("CS", None), None, 7])
def test_modalities_without_a_value_do_not_leave(modalities: Any) -> None:
    more = {} if modalities is None else {"t00080061": modalities}

    match = one(study(**more))

    assert match.bare
    assert "00080061" not in body(match)
    assert not one(study(t00080061=attribute("CS", "CT"))).bare


def test_a_source_without_modalities_takes_those_of_the_other() -> None:
    match = one(study(count=9, t00080061=attribute("CS")), study(count=1, t00080061=attribute("CS", "CT")))

    assert (value(match, "00080061"), match.bare) == (["CT"], False)


def test_a_value_keeps_the_spelling_its_source_gave_it() -> None:
    raw = (
        b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00101030":{"vr":"DS","Value":[ 1.0E2, "7e1"]},'
        b'"00091001":{"vr":"UN","InlineBinary":"AA=="}}'
    )

    (match,) = merged(read(raw, STUDIES, "a"))

    assert b'"Value":[ 1.0E2, "7e1"]' in match.body
    assert b'{"vr":"UN","InlineBinary":"AA=="}' in match.body


def test_odd_attributes_of_hostile_sources_harm_nobody() -> None:
    odd: dict[str, Any] = {
        "t00080061": 7,
        "t00080056": [1],
        "t00201206": {"vr": 3, "Value": {}},
        "t00083002": None,
        "t00100020": "x",
    }
    fine = study(count=1, t00080061=attribute("CS", "CT"), t00100020=attribute("LO", "7"))

    match = one(study(count=9, **odd), fine)

    assert value(match, "00080061") == ["CT"]
    assert not match.conflict


def test_what_one_source_says_twice_counts_once() -> None:
    groups = grouped([row("a", study(count=1)), row("a", study(count=2)), row("b", study(count=3))])

    assert [[(each.source, each.instances) for each in group] for group in groups] == [[("a", 1), ("b", 3)]]


def test_series_and_instances_name_their_study_and_their_place() -> None:
    series = Resource(Kind.COLLECTION, Level.SERIES, "1.2")
    instances = Resource(Kind.COLLECTION, Level.INSTANCE, "1.2", "3.4")

    of_series = Merger(Level.SERIES, PUBLIC, ("a",)).merged(
        read(b'{"0020000E":{"Value":["3.4"]}}', series, "a")
    )
    of_instance = Merger(Level.INSTANCE, PUBLIC, ("a",)).merged(
        read(b'{"00080018":{"Value":["5"]}}', instances, "a")
    )

    assert value(of_series, "00081190") == [f"{PUBLIC}/studies/1.2/series/3.4"]
    assert value(of_instance, "00081190") == [f"{PUBLIC}/studies/1.2/series/3.4/instances/5"]
    assert (value(of_instance, "0020000D"), value(of_instance, "0020000E")) == (["1.2"], ["3.4"])
    assert not of_series.bare
