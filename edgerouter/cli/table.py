"""Tables and texts for a terminal: aligned, and nothing in them that a terminal would obey."""

from collections.abc import Iterator, Sequence


def plain(text: str) -> str:
    """The text as it may be shown: control characters, which may come from an archive, are replaced."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of columns; a head that ends in # stands over numbers, which are aligned at their right."""
    right = [head.endswith("#") for head in heads]
    lines = [[head.rstrip("#") for head in heads], *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(line, widths, right, strict=True)
        )
        yield "  ".join(cells).rstrip()
