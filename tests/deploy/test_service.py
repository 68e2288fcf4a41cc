"""systemd understands the unit, and finds little to be afraid of in it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "edgerouter.service"
PROGRAM = "/opt/edgerouter/bin/edgerouter"
ADVICE = "systemd-analyze is not installed: run `apt-get install systemd`"
EXPOSED = 2.0  # the most, on systemd's scale to 10


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail(ADVICE, pytrace=False)
    return program


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as installed, but for its program, which is one that is here."""
    text = UNIT.read_text("utf-8")
    assert re.findall(
        rf"^Exec\w+={PROGRAM} (\w+) -c /etc/edgerouter/edgerouter.yaml$", text, re.MULTILINE
    ) == [
        "check",
        "serve",
    ]
    path = tmp_path / UNIT.name
    path.write_text(text.replace(f"={PROGRAM} ", f"={shutil.which('true')} "))
    return path


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def test_systemd_accepts_it(analyze: str, unit: Path) -> None:
    assert run(analyze, "verify", "--man=no", str(unit)) == (0, "")


def test_systemd_would_not_accept_a_mistake(analyze: str, unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSytem=strict"))

    assert "ProtectSytem" in run(analyze, "verify", "--man=no", str(unit))[1]


def test_it_exposes_little(analyze: str, unit: Path) -> None:
    status, said = run(analyze, "security", "--offline=true", "--no-pager", str(unit))
    exposure = re.search(r"Overall exposure level for edgerouter\.service: ([0-9.]+)", said)

    assert status == 0, said
    assert exposure, said
    assert float(exposure[1]) <= EXPOSED, said


@pytest.mark.parametrize(
    "line",
    [
        *("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes"),
        *("PrivateDevices=yes", "MemoryDenyWriteExecute=yes", "CapabilityBoundingSet=", "UMask=0077"),
        *("ProtectKernelLogs=yes", "ProtectKernelModules=yes", "ProtectKernelTunables=yes"),
        *("LimitCORE=0", "StateDirectory=edgerouter", "StateDirectoryMode=0700", "DynamicUser=yes"),
        *("RuntimeDirectory=edgerouter", "RuntimeDirectoryMode=0700"),
        *("SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"),
        *("MemoryMax=2G", "Restart=on-failure"),
    ],
)
def test_what_the_host_is_promised_is_in_it(line: str) -> None:
    assert line in UNIT.read_text("utf-8").splitlines()
