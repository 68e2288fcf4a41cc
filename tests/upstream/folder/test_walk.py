"""Walking a folder finds the files that may be served, and tells versions of them apart."""

import os
from pathlib import Path

import pytest

from edgerouter.upstream.folder.walk import BATCH, MAX_DEPTH, Walk, stamp


def found(root: Path, **options: int) -> list[bytes]:
    return [found.path for batch in Walk(os.fsencode(root), **options) for found in batch]


def test_files_are_found_in_one_order_at_any_depth(tmp_path: Path) -> None:
    for name in ("b/2.dcm", "b/1.dcm", "a.dcm", "c/d/e/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    assert found(tmp_path) == [b"a.dcm", b"b/1.dcm", b"b/2.dcm", b"c/d/e/x"]


def test_hidden_files_links_pipes_and_what_lies_too_deep_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "seen").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "seen")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "lost").write_bytes(b"")

    assert found(tmp_path) == [b"seen"]


def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))).write_bytes(b"")

    assert found(tmp_path) == [b"\xff\xfe"]


def test_many_files_come_in_batches_and_too_many_are_told(tmp_path: Path) -> None:
    for number in range(BATCH + 2):
        (tmp_path / f"{number:04}").write_bytes(b"")
    walk = Walk(os.fsencode(tmp_path))

    assert [len(batch) for batch in walk] == [BATCH, 2]
    assert not walk.full

    cut = Walk(os.fsencode(tmp_path), most=10)

    assert [len(batch) for batch in cut] == [10]
    assert cut.full


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")
    (tmp_path / "sick").mkdir()
    (tmp_path / "sick" / "b.dcm").write_bytes(b"")
    whole = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"sick"):
            raise PermissionError
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)  # as root, no permission keeps us out
    walk = Walk(os.fsencode(tmp_path))

    assert [found.path for batch in walk for found in batch] == [b"a.dcm"]
    assert not walk.whole


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found(tmp_path / "nowhere")


def test_a_file_that_goes_while_it_is_looked_at_is_not_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
    walk = Walk(os.fsencode(tmp_path))
    files = walk._below(b"", 0)

    assert next(files).path == b"a"
    (tmp_path / "b").unlink()

    assert list(files) == []


@pytest.mark.parametrize("how", ["append", "rewrite", "replace", "touch"])
def test_every_change_gives_a_file_another_stamp(tmp_path: Path, how: str) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"0000")
    before = file.stat()
    if how == "append":
        with file.open("ab") as stream:
            stream.write(b"1")
    elif how == "rewrite":
        file.write_bytes(b"1111")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "replace":
        other.write_bytes(b"1111")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.rename(file)
    else:
        os.utime(file)

    # A change within one tick of the kernel's clock cannot be told by time: wait for the next one.
    while stamp(file.stat()) == stamp(before):
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert stamp(file.stat()) != stamp(before)
