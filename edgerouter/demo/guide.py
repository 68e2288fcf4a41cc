"""What the demo tells its visitor: where to click, and what to ask."""

from pathlib import Path

from edgerouter.demo.hospitals import CONFIGURATION, PLAIN, SHARED_NUMBER

_GUIDE = """
Two hospitals' archives, one DICOMweb endpoint over both.

  DICOMweb root   {root}   for OHIF, Weasis, Slicer, dicomweb-client
  Status page     {url}/status
  Configuration   {folder}/{configuration}

Every study once, wherever it is:
  curl -s '{root}/studies' | python3 -m json.tool | less

One patient number, two people of two hospitals:
  curl -s '{root}/studies?PatientID={number}' | python3 -m json.tool

One study, a series of it in each hospital:
  curl -s '{root}/studies/{study}/series' | python3 -m json.tool

A series of 40 slices, twice: the second time it need not be fetched.
  curl -s -o head.multipart -D - -H 'Accept: multipart/related; type="application/dicom"' \\
    '{root}/studies/{study}/series/{series}' | grep -i -e HTTP -e cache-status

Ctrl-C ends the demo{ending}.
"""


def guide(url: str, base_path: str, folder: Path, *, temporary: bool) -> str:
    """The text, for a router that listens at `url`."""
    return _GUIDE.format(
        url=url,
        root=url + base_path,
        folder=folder,
        configuration=CONFIGURATION,
        number=SHARED_NUMBER,
        study=PLAIN.study_uid,
        series=PLAIN.series_uid,
        ending=" and removes its folder" if temporary else "; its folder stays",
    )
