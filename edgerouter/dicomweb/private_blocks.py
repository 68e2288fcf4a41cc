"""Private attributes of one data set brought into blocks without conflict (PS3.5 §7.8.1).

In XML an attribute names its private creator, and several may have one tag; in JSON, as in a file, the
creator reserves a block of the group, and a tag occurs once (PS3.18 §F.3.1).
"""

from collections.abc import Mapping, Sequence

from edgerouter.dicom.dictionary import creator_of, is_creator, is_private

_FIRST, _LAST = 0x10, 0xFF


class BlockError(ValueError):
    """Private attributes that no blocks can be found for."""


def assigned(
    attributes: Sequence[tuple[int, str]], reservations: Mapping[int, str]
) -> tuple[list[int], dict[int, str]]:
    """The tag of each attribute in its creator's block, and the reservations that were added.

    `attributes` are tags with their private creators, "" where none is named: those keep their tags. Of
    others the block number does not count, which some writers leave at 00.
    `reservations` are the creators the data set has: (gggg,00bb) -> who. A creator keeps the block it has,
    else the one its attribute stands in if that is free, else it gets the first free one. Raises BlockError.
    """
    held = dict(reservations)
    unnamed = {creator_of(tag) for tag, creator in attributes if not creator and is_private(tag)}
    taken = unnamed | held.keys()
    blocks = {(tag >> 16, creator): tag for tag, creator in sorted(held.items(), reverse=True)}
    tags = []
    for tag, creator in attributes:
        if not creator or not is_private(tag):
            tags.append(tag)
            continue
        key = tag >> 16, creator
        if key not in blocks:
            blocks[key] = _free(tag, taken)
            taken.add(blocks[key])
            held[blocks[key]] = creator
        tags.append(tag & 0xFFFF0000 | (blocks[key] & 0xFF) << 8 | tag & 0xFF)
    return tags, {tag: creator for tag, creator in held.items() if tag not in reservations}


def _free(tag: int, taken: set[int]) -> int:
    group = tag & 0xFFFF0000
    own = creator_of(tag)
    if is_creator(own) and own not in taken:
        return own
    for block in range(group | _FIRST, group | _LAST + 1):
        if block not in taken:
            return block
    raise BlockError("A private group has no block left.")
