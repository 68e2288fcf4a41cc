"""The dashboard as a test reads it: its panels and every query in it."""

import json
import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "grafana" / "edgerouter.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_METRIC = re.compile(r"\b(?:edgerouter|process)_[a-z_]+\b")


def queries() -> list[str]:
    """Every expression of every panel, as Grafana has it."""
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def filled_in(expression: str, instance: str) -> str:
    """As Prometheus gets it: the variables of the dashboard replaced."""
    replaced = expression.replace("$__rate_interval", "1m").replace("$__range", "1m")
    replaced = replaced.replace("$instance", instance)
    assert "$" not in replaced, expression
    return replaced


def metrics_in(expression: str) -> set[str]:
    """The names of the samples an expression asks for."""
    return set(_METRIC.findall(expression))
