from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for folder in ("core", "app") for p in (ROOT / folder).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 50
WINDOW = ("PyQt5", "PyQt6", "qtpy", "napari", "vispy", "magicgui", "superqt")


def loaded_by(statement: str) -> set[str]:
    """Top-level names of all modules in a fresh interpreter after a statement."""
    code = f"import sys\n{statement}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in done.stdout.split()}


def importable(pattern: str) -> list[str]:
    found = [p.relative_to(ROOT).with_suffix("") for p in sorted((ROOT / "core").rglob(pattern))]
    return [".".join(p.parts[:-1] if p.name == "__init__" else p.parts) for p in found]


def test_no_module_of_the_engine_loads_qt() -> None:
    statement = "; ".join(f"import {name}" for name in importable("*.py"))
    assert loaded_by(statement).isdisjoint(WINDOW)


@pytest.mark.parametrize("module", ["main", "core.cli", "core.config", "core.messages", "core.particles", "core.tomogram"])
def test_light_modules_load_neither_torch_nor_tables_nor_plots(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint({"torch", "pandas", "matplotlib", "scipy", *WINDOW})


def test_the_probe_sees_what_is_loaded() -> None:
    assert "decimal" in loaded_by("import decimal")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    long = [f"{node.name}: {size}" for node in functions(ast.parse(text)) if (size := body_lines(node)) > LONGEST_FUNCTION]
    assert not long


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1 + (node.body[0].lineno - node.lineno)


def test_body_lines_leave_the_docstring_out() -> None:
    node = functions(ast.parse('def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    a += 1\n    return a\n'))[0]
    assert body_lines(node) == 5


def test_every_pinned_release_is_named_once() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0].lower().replace("_", "-") for line in lines]
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in lines
