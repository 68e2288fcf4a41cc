"""The embedded archive: a folder of PS3.10 files, served in this process as a DICOMweb origin server.

It stands behind the same seam as an archive over HTTP, so routing, rewriting, merging and caching do not know
the difference. The files are the truth; the index over them is rebuilt at every start.
"""
