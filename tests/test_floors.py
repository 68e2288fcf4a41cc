"""The house stands on its floors: imports point down, rooms of floor 5 do not know one another."""

import ast
from pathlib import Path

import edgerouter

ROOT = Path(edgerouter.__file__).parent
FLOORS = {
    "errors": 0,
    "metrics": 0,
    "http": 1,
    "dicom": 1,
    "dicomweb": 2,
    "parsing": 2.5,
    "routing": 3,
    "config": 4,
    "upstream": 5,
    "cache": 5,
    "spool": 5,
    "transactions": 6,
    "server": 7,
    "middleware": 7,
    "admin": 7,
    "demo": 7,
    "door": 7.5,  # stands on the server and below the wiring
    "fittings": 7.7,
    "app": 8,
    "cli": 9,
    "__main__": 10,
}


def room(module: str) -> str:
    """The top-level room a dotted name inside the package belongs to."""
    return module.removeprefix("edgerouter").removeprefix(".").split(".")[0]


def imports() -> list[tuple[str, str]]:
    """Every (importing module, imported module) inside the package, function-level imports included."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(["edgerouter", *path.relative_to(ROOT).with_suffix("").parts])
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            found += [(module, name) for name in names if name.startswith("edgerouter.")]
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {room(module) for module, _ in imports()} - {"__init__", ""}

    assert rooms - FLOORS.keys() == set()


def test_imports_point_down_only() -> None:
    wrong = [
        (importer, imported)
        for importer, imported in imports()
        if room(importer) not in ("", "__init__")
        and room(importer) != room(imported)
        and FLOORS[room(importer)] <= FLOORS[room(imported)]
    ]

    assert wrong == []


def test_no_two_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for importer, imported in imports():
        graph.setdefault(importer.removesuffix(".__init__"), set()).add(imported)

    assert [cycle for cycle in (cycle_from(module, graph) for module in graph) if cycle] == []


def cycle_from(start: str, graph: dict[str, set[str]]) -> list[str]:
    """The modules on a way from `start` back to it, or nothing."""
    seen: set[str] = set()
    ways = [[start]]
    while ways:
        way = ways.pop()
        for following in graph.get(way[-1], ()):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
