import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom.dictionary import creator_of
from edgerouter.dicomweb.private_blocks import BlockError, assigned


def test_a_creator_keeps_the_block_it_has() -> None:
    assert assigned([(0x00091001, "A"), (0x00090002, "A")], {0x00090010: "A"}) == (
        [0x00091001, 0x00091002],
        {},
    )


def test_creators_that_share_a_tag_get_blocks_of_their_own() -> None:
    attributes = [(0x00090001, "A"), (0x00090001, "B"), (0x000B0001, "B"), (0x00090002, "A")]
    tags, added = assigned(attributes, {})
    assert tags == [0x00091001, 0x00091101, 0x000B1001, 0x00091002]
    assert added == {0x00090010: "A", 0x00090011: "B", 0x000B0010: "B"}


def test_a_block_that_is_free_stays() -> None:
    assert assigned([(0x00094201, "A")], {}) == ([0x00094201], {0x00090042: "A"})


def test_a_block_of_another_creator_or_of_nobody_is_not_taken() -> None:
    attributes = [(0x00091001, "B"), (0x00091105, ""), (0x00100010, "")]
    tags, added = assigned(attributes, {0x00090010: "A"})
    assert tags == [0x00091201, 0x00091105, 0x00100010]
    assert added == {0x00090012: "B"}


def test_an_attribute_that_looks_like_a_creator_but_names_one_is_an_attribute() -> None:
    assert assigned([(0x00090010, "A")], {}) == ([0x00091010], {0x00090010: "A"})


def test_a_full_group_is_an_error() -> None:
    reservations = {0x00090000 | block: f"creator {block}" for block in range(0x10, 0x100)}
    with pytest.raises(BlockError):
        assigned([(0x00090001, "another")], reservations)


TAGS = st.builds(
    lambda group, block, element: group << 16 | block << 8 | element,
    st.sampled_from([0x0008, 0x0009, 0x0011]),
    st.sampled_from([0, 0x10, 0x11, 0xFF]),
    st.integers(0, 3),
)


@given(
    st.lists(st.tuples(TAGS, st.sampled_from(["", "A", "B", "C"])), max_size=12, unique=True),
    st.dictionaries(st.sampled_from([0x00090010, 0x00090011, 0x00110010]), st.sampled_from(["A", "B", "X"])),
)
def test_every_attribute_stands_in_a_block_of_its_creator_alone(
    attributes: list[tuple[int, str]], reservations: dict[int, str]
) -> None:
    tags, added = assigned(attributes, reservations)
    every = reservations | added
    assert added.keys().isdisjoint(reservations)
    for tag, (before, creator) in zip(tags, attributes, strict=True):
        if not creator or not before >> 16 & 1:
            assert tag == before
            continue
        assert tag & 0xFFFF00FF == before & 0xFFFF00FF
        assert every[creator_of(tag)] == creator
