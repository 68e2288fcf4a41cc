"""What the first bytes of an uploaded instance tell: who it is, and the attributes that rules look at."""

from collections.abc import Iterable
from dataclasses import dataclass

from edgerouter.dicom import source
from edgerouter.dicom.dictionary import tag_of
from edgerouter.dicom.part10 import (
    MEDIA_SOP_CLASS,
    MEDIA_SOP_INSTANCE,
    ROUTING_LIMIT,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY_INSTANCE,
    TRANSFER_SYNTAX,
    Header,
    is_uid,
    meta_information,
    scan_header,
)
from edgerouter.dicom.source import NeedMore, Part10Error
from edgerouter.dicom.syntaxes import EXPLICIT_BIG_ENDIAN
from edgerouter.dicomweb.store_response import CANNOT_UNDERSTAND
from edgerouter.routing.facts import Dataset

SYNTAX_NOT_SUPPORTED = 0xC122

Instance = tuple[str, str]
"""SOP Class UID and SOP Instance UID, as Store answers name an instance; empty where nothing named it."""


@dataclass(frozen=True, slots=True)
class InstanceHead:
    """One instance as its first bytes tell of it; `study` is "" unless it was wanted and is there."""

    instance: Instance
    study: str
    dataset: Dataset


class Refusal(Exception):
    """An instance goes nowhere: `status` is what a request with nothing else would get, `reason` a Failure
    Reason (PS3.18 Annex I)."""

    def __init__(self, status: int, reason: int, instance: Instance) -> None:
        super().__init__(f"{reason:04X}")
        self.status = status
        self.reason = reason
        self.instance = instance


class HeadReader:
    """Reads what decides: `attributes` by name, and with `study` the StudyInstanceUID; nothing else, so
    that a long sequence behind what is wanted does no harm."""

    def __init__(self, attributes: Iterable[str], *, study: bool) -> None:
        self._names = {tag: name for name in attributes if (tag := tag_of(name)) is not None}
        self._wanted = {SOP_CLASS, SOP_INSTANCE, *self._names, *([STUDY_INSTANCE] if study else [])}

    def read(self, data: bytes, *, complete: bool) -> InstanceHead:
        """The head of the file that `data` begins, or is when it is `complete`.

        Raises NeedMore when more of the first 64 KiB could tell, Refusal when they do not."""
        seen = data[:ROUTING_LIMIT]
        try:
            whole = complete and len(data) == len(seen)
            header = scan_header(source.of_bytes(seen, complete=whole), self._wanted)
        except NeedMore as more:
            if len(seen) < ROUTING_LIMIT and more.wanted <= ROUTING_LIMIT and not complete:
                raise
            raise _not_understood(seen) from None
        except Part10Error:
            raise _not_understood(seen) from None
        return self._head(header)

    def _head(self, header: Header) -> InstanceHead:
        instance = header.first(SOP_CLASS), header.first(SOP_INSTANCE)
        if not is_uid(instance[1]):
            named = header.media_sop_class, _uid(header.media_sop_instance)
            raise Refusal(400, CANNOT_UNDERSTAND, named)
        dataset = {name: header.values.get(tag, ()) for tag, name in self._names.items()}
        return InstanceHead(instance, header.first(STUDY_INSTANCE), dataset)


def _not_understood(seen: bytes) -> Refusal:
    """Named by the File Meta Information, if that much can be read."""
    try:
        meta = meta_information(source.of_bytes(seen))
    except Part10Error:
        return Refusal(400, CANNOT_UNDERSTAND, ("", ""))
    unsupported = meta.get(TRANSFER_SYNTAX) == EXPLICIT_BIG_ENDIAN
    instance = meta.get(MEDIA_SOP_CLASS, ""), _uid(meta.get(MEDIA_SOP_INSTANCE, ""))
    return Refusal(400, SYNTAX_NOT_SUPPORTED if unsupported else CANNOT_UNDERSTAND, instance)


def _uid(text: str) -> str:
    return text if is_uid(text) else ""
