"""Every code block of the READMEs and the docs runs; docs/vendoring.md has a session of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("packages/*/README.md")),
    ROOT / "conformance/README.md",
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "vendoring.md"),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs():
    """The Python of each page, whose blocks build on each other; the first page's stand alone."""
    found = []
    for path in PAGES:
        blocks = [text for kind, text in BLOCK.findall(path.read_text()) if kind == "python"]
        name = str(path.relative_to(ROOT))
        if path == ROOT / "README.md":
            found += [pytest.param(text, id=f"{name}-{i}") for i, text in enumerate(blocks)]
        elif blocks:
            found.append(pytest.param("\n".join(blocks), id=name))
    return found


def commands():
    return [
        pytest.param(path, language, text, id=f"{path.relative_to(ROOT)}-{i}")
        for path in PAGES
        for i, (language, text) in enumerate(BLOCK.findall(path.read_text()))
        if language != "python"
    ]


@pytest.fixture
def checkout(tmp_path):
    """A folder to run in, with what a checkout has."""
    for folder in ("examples", "packages", "docs", "conformance"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    return tmp_path


@pytest.mark.parametrize("program", programs())
def test_the_python_of_a_page_runs(program, checkout):
    # PyTorch does without NumPy, and warns of it when it is imported.
    torchs = "ignore:Failed to initialize NumPy:UserWarning"
    command = [sys.executable, "-W", "error", "-W", torchs, "-c", program]
    subprocess.run(command, cwd=checkout, check=True)


@pytest.mark.parametrize(("path", "language", "text"), commands())
def test_other_blocks_run_or_say_what_they_are(path, language, text, checkout):
    if language != "sh":
        assert language in ("text", "json", "toml"), f"{path}: a block must say its language"
        return
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("python -m fanwise"):
            command = line.replace("python", sys.executable, 1)
            subprocess.run(["bash", "-euc", command], cwd=checkout, check=True)
        else:  # what CI, or a session that reads it, runs: `build`
            assert re.match(r"python -m (pip install|nox)", line), line


def test_there_are_blocks():
    assert len([*programs(), *commands()]) > 5
