"""The structure of the package: imports go one way, and everything under tests/ is collected."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "server" / "intmk"
_ROW = re.compile(r"^([a-z ]+?)(?:  +.*)?$")


def rows() -> list[list[str]]:
    """Return the table of docs/design.md: modules by row, the highest first."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    block = text.split("<!-- rows")[1].split("```")[1]
    found = [_ROW.match(line) for line in block.strip().splitlines()]
    return [match[1].split() for match in found if match]


def modules() -> list[str]:
    """Return the names of the package's modules."""
    return sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, wherever in it."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "intmk":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("intmk."):
                found.add(node.module.split(".")[1])
    return found & set(modules())


def test_every_module_stands_in_one_row() -> None:
    """The table of docs/design.md holds each module once, and no other name."""
    named = [name for row in rows() for name in row]
    assert sorted(named) == modules()


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_lower_rows(module: str) -> None:
    """No module imports one of its own row or of a higher one."""
    rank = {name: number for number, row in enumerate(rows()) for name in row}
    assert {name for name in imports(module) if rank[name] <= rank[module]} == set()


@pytest.mark.parametrize("module", modules())
def test_flask_stays_above(module: str) -> None:
    """Below the blueprints nothing knows of Flask."""
    allowed = {name for row in rows()[:5] for name in row}
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    assert module in allowed or not re.search(r"^(from|import) flask", text, re.MULTILINE)


def test_every_test_file_is_collected(request: pytest.FixtureRequest) -> None:
    """Each file that holds tests is named so that pytest finds it."""
    for path in (ROOT / "tests").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith("test_") == bool(re.search(r"^def test_", text, re.MULTILINE))
