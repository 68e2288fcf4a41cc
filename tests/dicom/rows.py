"""A row as a search answers it, and keys as a query names them."""

from typing import Any

from edgerouter.dicom.dictionary import tag_of
from edgerouter.dicom.matching import Key

ROW: dict[str, Any] = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
    "00080020": {"vr": "DA", "Value": ["20060706"]},
    "00080030": {"vr": "TM", "Value": ["223000"]},
    "0008002A": {"vr": "DT", "Value": ["20060706223000.5+0200"]},
    "00080050": {"vr": "SH", "Value": ["A*1"]},
    "00080061": {"vr": "CS", "Value": ["CT", "PT"]},
    "00080090": {"vr": "PN"},
    "00081030": {"vr": "LO", "Value": ["Chest, Abdomen"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["PAT-1"]},
    "00101010": {"vr": "AS", "Value": ["045Y"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00200010": {"vr": "SH", "Value": []},
    "00200011": {"vr": "IS", "Value": [7]},
    "00281050": {"vr": "DS", "Value": ["40.0", -600]},
    "00400275": {
        "vr": "SQ",
        "Value": [
            {"00400009": {"vr": "SH", "Value": ["STEP1"]}, "00401001": {"vr": "SH", "Value": ["REQ1"]}},
            {"00400009": {"vr": "SH", "Value": ["STEP2"]}, "00401001": {"vr": "SH", "Value": ["REQ2"]}},
        ],
    },
    "00091001": {"vr": "LO", "Value": ["private"]},
}


def path(names: str) -> tuple[str, ...]:
    return tuple(f"{tag_of(name):08X}" for name in names.split("."))


def keys(**asked: Any) -> list[Key]:
    return [(path(names.replace("__", ".")), value) for names, value in asked.items()]
