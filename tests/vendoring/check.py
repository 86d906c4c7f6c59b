"""Check a vendored copy of the core: how it is written, what it imports, and its own tests.

    python tests/vendoring/check.py hostlib._vendor.initializers

Run from a folder from which the copy imports by that name. Needs pytest, and no array library.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CORE = Path(__file__).parents[2] / "packages/core"
NAME = "fanwise"
ALLOWED_TEXT = {f"{NAME}-stream-1"}  # the stream's version, which a copy must not change
# Imported only where they are needed, by two folders that a host may delete.
LATE_IMPORTS = {"numpy": {"numpy", "ml_dtypes"}, "cli": {"safetensors", "rich"}}
EXAMPLE = re.compile(
    r"^ *(>>>|\.\.\.) .*$", re.MULTILINE
)  # of documentation, which names the original
METADATA = {"importlib.metadata", "importlib.resources", "pkg_resources", "pkgutil"}


def violations(path: Path) -> list[str]:
    """What keeps a module from being vendored by copying it."""
    tree = ast.parse(path.read_text())
    late = LATE_IMPORTS.get(path.parent.name, set())
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        for module in modules:
            root = module.partition(".")[0]
            if module in METADATA or root in METADATA:
                found.append(f"line {line}: looks up metadata or data files ({module})")
            elif root not in sys.stdlib_module_names | late:
                found.append(f"line {line}: absolute import of {module}")
        text = node.value if isinstance(node, ast.Constant) else None
        if (
            isinstance(text, str)
            and text not in ALLOWED_TEXT
            and re.search(rf"\b{NAME}\b", EXAMPLE.sub("", text))
        ):
            found.append(f"line {line}: spells its own name")
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in ("__file__", "__import__") or name == NAME:
                found.append(f"line {line}: depends on where it is or on its name ({name})")
    return found


def new_modules(name: str) -> set[str]:
    """The modules that importing a name brings into a fresh interpreter, beyond the standard's."""
    code = (
        f"import sys; before = set(sys.modules); import {name}\n"
        "print(*sorted(m for m in set(sys.modules) - before "
        "if m.partition('.')[0] not in sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def unwanted(modules: set[str], name: str) -> set[str]:
    """Modules that are neither the copy nor one of its parents."""
    parents = {name.rsplit(".", i)[0] for i in range(name.count(".") + 1)}
    return {m for m in modules if m not in parents and not m.startswith(f"{name}.")}


def copy_tests(target: Path, name: str, folders: tuple[str, ...]) -> None:
    """The core's own tests, importing the copy."""
    for folder in folders:
        for source in sorted((CORE / "tests" / folder).glob("*.py")):
            text = re.sub(rf"\b{NAME}\b(?!-stream)", name, source.read_text())
            (target / folder).mkdir(exist_ok=True)
            (target / folder / source.name).write_text(text)


def main(name: str, *pytest_arguments: str) -> int:
    """Run all checks; return an exit status."""
    sys.path.insert(0, str(Path.cwd()))
    package = importlib.import_module(name)
    folder = Path(str(package.__file__)).parent
    modules = sorted(folder.rglob("*.py"))
    problems = [f"{p.relative_to(folder)}: {v}" for p in modules for v in violations(p)]
    problems += [f"importing brings {m}" for m in sorted(unwanted(new_modules(name), name))]
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        return 1
    print(f"{name}: importing it brings nothing but the standard library and itself")
    # The tests that draw need array libraries; planning needs none.
    folders = ("pure", "numeric") if importlib.util.find_spec("numpy") else ("pure",)
    with tempfile.TemporaryDirectory() as tests:
        copy_tests(Path(tests), name, folders)
        paths = [str(Path(tests) / folder) for folder in folders]
        options = ["-q", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib"]
        options += ["-o", "markers=clause(*names): clauses of the specification"]
        command = [sys.executable, "-m", "pytest", *options, *paths, *pytest_arguments]
        environment = {"PYTHONPATH": str(Path.cwd()), "PATH": ""}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
