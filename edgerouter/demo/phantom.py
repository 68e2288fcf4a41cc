"""A head to look at: slices of a computed tomography made of ellipsoids, without anybody's data in them.

Plain Python, yet quick: ellipses are painted as runs of bytes, and smoothing and noise are sums of one big
integer per slice, whose 16-bit lanes are the pixels. The same slice is the same bytes everywhere.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

FIELD = 240.0  # millimetres that a slice shows, either way
OFFSET = 1024  # stored value of 0 HU
_AIR = -1000
_NOISE_BITS = 4
_NOISE_MEAN = (1 << _NOISE_BITS) - 1  # of two lanes of noise together


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Centre and radii in millimetres (left, back, up), its density in HU, and a turn in the slice's plane
    in degrees. Later ones are painted over earlier ones."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    density: int
    turn: float = 0.0

    def runs(self, z: float, size: int) -> Iterator[tuple[int, int, int]]:
        """(row, first column, end column) of what it covers of the slice at height `z`."""
        height = (z - self.centre[2]) / self.radii[2]
        if abs(height) >= 1:
            return
        scale = math.sqrt(1 - height * height) * size / FIELD
        a, b = self.radii[0] * scale, self.radii[1] * scale
        x, y = ((part / FIELD + 0.5) * size for part in self.centre[:2])
        cosine, sine = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        square = (cosine / a) ** 2 + (sine / b) ** 2
        skew = cosine * sine * (1 / a**2 - 1 / b**2)
        rest = (sine / a) ** 2 + (cosine / b) ** 2
        reach = math.hypot(a * sine, b * cosine)
        for row in range(max(0, math.ceil(y - reach)), min(size, math.floor(y + reach) + 1)):
            down = row - y
            root = (skew * down) ** 2 - square * (rest * down * down - 1)
            if root <= 0:
                continue
            middle, half = x - skew * down / square, math.sqrt(root) / square
            first, end = max(0, math.ceil(middle - half)), min(size, math.floor(middle + half) + 1)
            if first < end:
                yield row, first, end


def _pair(
    centre: tuple[float, float, float], radii: tuple[float, float, float], density: int, turn: float = 0.0
) -> list[Ellipsoid]:
    """The same on either side."""
    x, y, z = centre
    return [Ellipsoid((side * x, y, z), radii, density, side * turn) for side in (1, -1)]


HEAD: tuple[Ellipsoid, ...] = (
    Ellipsoid((0, 108, 0), (78, 9, 400), 20),  # the head rest
    Ellipsoid((0, 104, 0), (74, 8, 400), _AIR),
    Ellipsoid((0, 0, 0), (76, 96, 90), 45),  # scalp
    Ellipsoid((0, -96, -42), (12, 18, 16), 30),  # nose
    Ellipsoid((0, 0, 0), (71, 91, 85), 1050),  # skull
    Ellipsoid((0, 0, 0), (69, 88.5, 82.5), 480),  # its spongy middle
    Ellipsoid((0, 0, 0), (67, 86, 80), 900),
    Ellipsoid((0, 0, 0), (65, 84, 78), 9),  # cerebrospinal fluid
    Ellipsoid((0, 0, 2), (62, 81, 74), 39),  # grey matter
    Ellipsoid((0, 0, 24), (2, 80, 56), 8),  # between the hemispheres
    *_pair((27, -2, 8), (24, 64, 56), 29, 5),  # white matter
    *_pair((40, 16, 6), (13, 34, 40), 29, -14),
    *_pair((50, -14, -4), (13, 3, 9), 9, 32),  # Sylvian fissures
    *_pair((43, -16, -4), (4, 9, 14), 39, 24),
    *_pair((22, -4, 2), (9, 16, 13), 41, 18),  # basal ganglia
    *_pair((11, 14, 0), (8, 12, 10), 40, -12),  # thalami
    *_pair((9, -22, 12), (4.5, 17, 11), 7, -14),  # ventricles
    *_pair((15, 26, 10), (5, 17, 10), 7, 24),
    Ellipsoid((0, 2, -4), (2, 12, 9), 7),
    Ellipsoid((0, 24, 2), (2.2, 3, 3), 130),  # pineal gland, calcified
    *_pair((24, 46, -46), (24, 26, 20), 36, -8),  # cerebellum
    Ellipsoid((0, 20, -46), (13, 15, 22), 33),  # brain stem
    Ellipsoid((0, 0, 22), (0.9, 84, 54), 55),  # falx
    *_pair((46, 34, -52), (17, 9, 12), 850, 34),  # petrous bones
    *_pair((50, 38, -52), (8, 6, 7), -600),
    Ellipsoid((0, -40, -58), (30, 34, 12), 700),  # skull base
    Ellipsoid((0, -30, -58), (14, 12, 10), -850),  # sphenoid sinus
    *_pair((31, -68, -44), (18, 21, 15), -80, 12),  # orbits: fat,
    *_pair((31, -73, -44), (12, 12, 12), 18),  # eyes,
    *_pair((31, -83, -44), (4.5, 2, 4.5), 75),  # and lenses
    *_pair((7, -66, -50), (6, 18, 16), -800),  # ethmoid cells
)
LESION = (
    Ellipsoid((-34, 10, 16), (19, 22, 17), 20, -20),  # swelling
    Ellipsoid((-33, 8, 16), (11, 13, 11), 68, -20),  # a bleeding
)
ENHANCED = (
    Ellipsoid((-34, 10, 16), (14, 16, 13), 95, -20),  # a rim that takes up contrast
    Ellipsoid((-33, 8, 16), (11, 13, 11), 52, -20),
    *_pair((10, -30, -30), (3, 3, 30), 170),  # vessels
    Ellipsoid((0, 79, 20), (3.5, 3, 60), 160),
)


def slice_of(shapes: tuple[Ellipsoid, ...], z: float, size: int, seed: str) -> bytes:
    """`size` x `size` pixels at height `z` (millimetres), 16 bits little-endian, HU + OFFSET."""
    image = bytearray(_value(_AIR) * (size * size))
    for shape in shapes:
        paint = _value(shape.density) * size
        for row, first, end in shape.runs(z, size):
            at = 2 * (row * size + first)
            image[at : at + 2 * (end - first)] = paint[: 2 * (end - first)]
    pixels = _smoothed(int.from_bytes(image, "little"), size)
    return (pixels + _noise(size, f"{seed} {z}")).to_bytes(len(image), "little")


def _value(density: int) -> bytes:
    return (density + OFFSET - _NOISE_MEAN).to_bytes(2, "little")


def _lanes(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(2, "little") * (size * size), "little")


def _smoothed(pixels: int, size: int) -> int:
    """Each pixel averaged with its neighbours, as the edges of a real slice are."""
    everything, even = _lanes(0xFFFF, size), _lanes(0xFFFE, size)
    for shift in (16, -16, 16 * size, -16 * size):
        moved = pixels >> shift if shift > 0 else (pixels << -shift) & everything
        pixels = (pixels & moved) + (((pixels ^ moved) & even) >> 1)
    return pixels


def _noise(size: int, seed: str) -> int:
    source, mask = random.Random(seed), _lanes(_NOISE_MEAN, size)
    first, second = (int.from_bytes(source.randbytes(2 * size * size), "little") & mask for _ in range(2))
    return first + second
