"""Which of the client's wishes bytes held in one transfer syntax fulfil, without a codec (PS3.18 §8.7.3).

Decisions where the standard leaves room, or asks for what cannot be had without decoding pixels:

- `transfer-syntax=*` gives the file as it is, whatever its transfer syntax.
- No transfer syntax asks for Explicit VR Little Endian. What is compressed lossily is given as it is: the
  standard allows that when only lossy data exist. What is compressed reversibly would have to be decoded,
  so it is 406: a client that cannot decode it must not get it unasked.
- A file in Implicit VR Little Endian, too, is given to who names no transfer syntax. To the letter it would
  have to be written anew; but its pixels are the same, every reader of PS3.10 reads it, and the bytes stay
  those of the file.
"""

from collections.abc import Sequence

from edgerouter.dicom.syntaxes import IMPLICIT_LITTLE_ENDIAN
from edgerouter.dicomweb.media import DICOM, Wish, satisfies
from edgerouter.dicomweb.syntaxes import PIXEL_MEDIA

_ROOT = "1.2.840.10008.1.2.4."
_LOSSY = frozenset(_ROOT + leaf for leaf in ("50", "51", "81", "91", "93", "111", "112", "203")) | frozenset(
    uid for media, uids in PIXEL_MEDIA.items() if media.startswith("video/") for uid in uids
)


def fitting(wishes: Sequence[Wish], media: str, syntax: str | None) -> Wish | None:
    """The first wish that bytes held as `media` in transfer syntax `syntax` fulfil."""
    return next((wish for wish in wishes if _fits(wish, media, syntax)), None)


def _fits(wish: Wish, media: str, syntax: str | None) -> bool:
    if satisfies(wish, media, syntax):
        return True
    if wish.transfer_syntax is not None or wish.media != media:
        return False
    return syntax in _LOSSY or (media == DICOM and syntax == IMPLICIT_LITTLE_ENDIAN)
