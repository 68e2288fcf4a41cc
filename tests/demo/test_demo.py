"""`edgerouter demo` as a visitor runs it: it starts, answers, tells where, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from edgerouter.cli import main
from edgerouter.cli.steps import Steps
from edgerouter.demo.hospitals import ANNA, KARL, PLAIN
from tests.support.doors import DICOM_AS_STORED, DICOM_JSON, Door

ROOT = Path(__file__).parents[2]
GUARDED = os.pathsep.join([str(ROOT / "tests" / "support" / "guarded"), str(ROOT)])
RULES = """
rules:
  - name: b-alone
    match: {header: {x-hospital: b}}
    route: {upstreams: [hospital-b]}
  - name: a-alone
    match: {}
    route: {upstreams: [hospital-a]}
"""


class Demo:
    """The demo in a process of its own; `temporary` is where it makes its folder."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        self.temporary = temporary
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgerouter", "demo", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=temporary,
            env=os.environ | {"PYTHONPATH": GUARDED, "TMPDIR": str(temporary)},
        )
        self.said = ""

    def root(self) -> str:
        """Wait for the guide, and return the DICOMweb root that it names."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"DICOMweb root +(http://127\.0\.0\.1:\d+/dicomweb)", line):
                return found[1]
        raise AssertionError(self.said)

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        rest, _ = self.process.communicate(timeout=30)
        self.said += rest
        return self.process.returncode


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("visitor"))
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()
        demo.process.communicate()


def uids(door: Door, query: str = "") -> list[str]:
    reply = door.ask(f"/studies{query}", DICOM_JSON)
    assert reply.status == 200
    return [row["0020000D"]["Value"][0] for row in json.loads(reply.body)]


def test_the_demo_answers_as_its_guide_says_and_cleans_up(demo: Demo) -> None:
    with Door(demo.root(), "") as door:
        found = uids(door)
        assert len(found) == len(set(found)) > 10
        assert PLAIN.study_uid in found
        assert ANNA.study_uid in uids(door, "?PatientID=4711")
        head = door.ask(f"/studies/{PLAIN.study_uid}/series/{PLAIN.series_uid}", DICOM_AS_STORED)
        assert len(head.parts) == PLAIN.slices
    [folder] = demo.temporary.glob("edgerouter-demo-*")
    assert (folder / "hospital-b").is_dir()

    assert demo.end() == 0
    assert "Traceback" not in demo.said
    assert "guard:" not in demo.said
    assert list(demo.temporary.iterdir()) == []


def test_a_folder_that_was_given_is_kept_and_used_again(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "apart.yaml").write_text(RULES)
    (tmp_path / "edgerouter.yaml").write_text(
        "upstreams:\n  hospital-a: {folder: hospital-a}\n  hospital-b: {folder: hospital-b}\n"
        "rules: [rules/*.yaml]\n"
    )
    demo = Demo(tmp_path, "--folder", str(tmp_path))
    with Door(demo.root(), "") as door:
        in_a = uids(door)
        reply = door.ask("/studies", DICOM_JSON, fields={"X-Hospital": "b"})
        in_b = [row["0020000D"]["Value"][0] for row in json.loads(reply.body)]
    assert demo.end(signal.SIGTERM) == 0

    assert {ANNA.study_uid, PLAIN.study_uid} <= set(in_a)
    assert {KARL.study_uid, PLAIN.study_uid} <= set(in_b)
    assert len(set(in_a) & set(in_b)) > 3
    assert len(list((tmp_path / "hospital-a").rglob("*.dcm"))) > 100

    again = Demo(tmp_path, "--folder", str(tmp_path))
    again.root()
    assert again.end() == 0
    assert "sample files" not in again.said


def test_ctrl_c_while_studies_are_made_leaves_nothing(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    assert demo.process.stdout is not None
    demo.said += demo.process.stdout.readline()  # the first step is done

    assert demo.end() == 0
    assert "Traceback" not in demo.said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["demo", "--folder", str(tmp_path / "file" / "demo")]) == 1
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().err.startswith("cannot make the demo: ")


def test_a_broken_configuration_in_the_folder_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("hospital-a", "hospital-b"):
        (tmp_path / name).mkdir()
    (tmp_path / "edgerouter.yaml").write_text("upstream: {}")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["demo", "--folder", str(tmp_path)]) == 1
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert "unknown key 'upstream'" in capsys.readouterr().err


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_progress_in_place_and_a_file_a_line_for_each_step() -> None:
    terminal, file = Terminal(), StringIO()
    for to in (terminal, file):
        steps = Steps(to)
        for done in (1, 2):
            steps("slices", done, 2)

    assert terminal.getvalue() == "\rslices 1/2\rslices 2/2\n"
    assert file.getvalue() == "slices: 2\n"
