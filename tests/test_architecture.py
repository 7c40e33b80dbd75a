"""The folder tree is the architecture: imports point one way, rooms are small and introduced."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("facegpt_model", "tools", "agent", "ui")  # each may import itself and those before it
MAX_LINES = 400
FRAMEWORKS = ("langchain", "langchain_core", "langgraph", "typer")
SOURCES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))


def imported_packages(source: str, package: str) -> set[str]:
    """Top-level names a module imports, inside functions too; `package` resolves relative imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and _calls_import(node) and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value).split(".")[0])
    return found


def _calls_import(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("import_module", "__import__") and bool(node.args)


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_imports_point_one_way(path: Path) -> None:
    package = _package(path)
    forbidden = set(ORDER[ORDER.index(package) + 1 :])
    assert not imported_packages(path.read_text(), package) & forbidden


@pytest.mark.parametrize("path", [p for p in SOURCES if _package(p) == "tools"], ids=_name)
def test_tools_know_no_agent_framework(path: Path) -> None:
    assert not imported_packages(path.read_text(), "tools") & set(FRAMEWORKS)


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_rooms_are_introduced_and_small(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module starts by saying what it is"
    assert len(text.splitlines()) <= MAX_LINES
    assert path.stem not in ("utils", "helpers", "common")


@pytest.mark.parametrize(
    "source",
    [
        "import agent.loop",
        "from ui import cli",
        "def late():\n    from agent.loop import Conversation",
        "import importlib\nimportlib.import_module('agent.loop')",
    ],
)
def test_the_import_reader_sees_every_way_of_importing(source: str) -> None:
    assert imported_packages(source, "tools") & {"agent", "ui"}
