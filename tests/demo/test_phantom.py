"""The phantom looks like a head, the same one every time."""

import struct

import numpy as np
import numpy.typing as npt
import pytest

from edgerouter.demo.phantom import FIELD, HEAD, LESION, OFFSET, Ellipsoid, slice_of

Image = npt.NDArray[np.int32]
SIZE = 128


def densities(z: float, shapes: tuple[Ellipsoid, ...] = HEAD) -> Image:
    """A slice in HU."""
    pixels = np.frombuffer(slice_of(shapes, z, SIZE, "test"), "<u2")
    return pixels.reshape(SIZE, SIZE).astype(np.int32) - OFFSET


def around(image: Image, x: float, y: float) -> float:
    """The mean density round a point, in millimetres from the middle."""
    column, row = (round((part / FIELD + 0.5) * SIZE) for part in (x, y))
    return float(image[row - 1 : row + 2, column - 1 : column + 2].mean())


def test_tissues_have_their_densities_where_they_belong() -> None:
    image = densities(16, HEAD + LESION)

    assert around(image, -110, -110) == pytest.approx(-1000, abs=8)
    assert image[SIZE // 2].max() > 700  # bone on either side
    assert around(image, 30, -30) == pytest.approx(29, abs=8)  # white matter
    assert around(image, -33, 8) == pytest.approx(68, abs=8)  # the bleeding
    assert around(densities(16), -33, 8) < 45  # which the other head has not


def test_the_head_is_inside_the_picture_and_round_at_the_top() -> None:
    wide, narrow = (int(np.count_nonzero(densities(z) > -200)) for z in (0, 84))

    assert wide > 3 * narrow > 0
    for z in (-60, 0, 60):
        edge = densities(z)[: SIZE - 10]
        assert max(edge[0].max(), edge[:, 0].max(), edge[:, -1].max()) < -900


def test_the_same_slice_is_the_same_bytes_and_another_is_not() -> None:
    first = slice_of(HEAD, 10.0, SIZE, "test")

    assert len(first) == 2 * SIZE * SIZE
    assert first == slice_of(HEAD, 10.0, SIZE, "test")
    assert first != slice_of(HEAD, 10.0, SIZE, "other")
    assert first != slice_of(HEAD, 12.0, SIZE, "test")
    # What one machine makes, every machine makes.
    assert struct.unpack("<16H", slice_of((), 0, 4, "")) == AIR


AIR = (29, 29, 19, 15, 21, 18, 16, 23, 33, 18, 38, 12, 20, 21, 33, 20)


@pytest.mark.parametrize("turn", [0.0, 30.0, -75.0])
def test_an_ellipse_covers_what_its_equation_says(turn: float) -> None:
    shape = Ellipsoid((5, -8, 0), (30, 12, 20), 0, turn)
    covered = np.zeros((SIZE, SIZE), dtype=bool)
    for row, first, end in shape.runs(6, SIZE):
        covered[row, first:end] = True
    y, x = np.mgrid[:SIZE, :SIZE]
    x, y = ((x / SIZE - 0.5) * FIELD - 5, (y / SIZE - 0.5) * FIELD + 8)
    angle = np.radians(turn)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    value = (along / 30) ** 2 + (across / 12) ** 2 + (6 / 20) ** 2

    assert (covered == (value <= 1)).mean() > 0.9995  # rounding at the very edge apart


def test_what_is_above_or_below_a_shape_has_nothing_of_it() -> None:
    shape = Ellipsoid((0, 0, 0), (30, 12, 20), 0)

    assert list(shape.runs(20, SIZE)) == []
    assert list(shape.runs(-21, SIZE)) == []


def test_what_reaches_out_of_the_picture_is_cut_at_its_edge() -> None:
    runs = list(Ellipsoid((0, 0, 0), (400, 400, 400), 0).runs(0, 8))

    assert runs == [(row, 0, 8) for row in range(8)]
    assert list(Ellipsoid((900, 0, 0), (400, 400, 400), 0).runs(0, 8)) == []
