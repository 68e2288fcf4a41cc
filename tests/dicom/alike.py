"""Two readings of pydicom compared: every element, its VR and its value, at any depth."""

import warnings
from io import BytesIO

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset


def read(data: bytes) -> pydicom.FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(BytesIO(data))


def differences(one: Dataset, other: Dataset, *, vrs: bool = True, where: str = "") -> list[str]:
    """Where two data sets differ; group lengths are not of the data set (PS3.5 §7.2).

    OB and OW are one here: of values in little endian bytes they say the same. So are US and SS within
    items: pydicom does not always look for the Pixel Representation of the data set around them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left, right = ({e.tag: e for e in each if e.tag & 0xFFFF} for each in (one, other))
    found = [f"{where}{tag} in one only" for tag in left.keys() ^ right.keys()]
    for tag in left.keys() & right.keys():
        a, b, place = left[tag], right[tag], f"{where}{tag}"
        if vrs and a.VR != b.VR and not ({a.VR, b.VR} == {"OB", "OW"} or (where and _words(a.VR, b.VR))):
            found.append(f"{place} is {a.VR} and {b.VR}")
        elif a.VR == "SQ" and b.VR == "SQ":
            if len(a.value) != len(b.value):
                found.append(f"{place} has {len(a.value)} and {len(b.value)} items")
            for number, (p, q) in enumerate(zip(a.value, b.value, strict=False), start=1):
                found += differences(p, q, vrs=vrs, where=f"{place}/{number}/")
        elif _value(a) != _value(b):
            found.append(f"{place} differs")
    return found


def _words(one: str, other: str) -> bool:
    return {one, other} <= {"US", "SS"}


def _value(element: DataElement) -> str:
    value = element.value
    if _words(element.VR, element.VR) and value not in (None, ""):
        numbers = [value] if isinstance(value, int) else list(value)
        return repr([number % 0x10000 for number in numbers])
    return repr(value or "")
