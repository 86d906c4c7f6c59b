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
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "vendoring.md"),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page_blocks():
    return [
        pytest.param(path, language, text, id=f"{path.relative_to(ROOT)}-{i}")
        for path in PAGES
        for i, (language, text) in enumerate(BLOCK.findall(path.read_text()))
    ]


@pytest.mark.parametrize(("path", "language", "text"), page_blocks())
def test_the_block_runs(path, language, text, tmp_path):
    for folder in ("examples", "packages", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    if language == "python":
        earlier = [t for kind, t in BLOCK.findall(path.read_text()) if kind == "python"]
        program = "\n".join(
            earlier[: earlier.index(text) + 1]
        )  # a page's blocks build on each other
        subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
    elif language == "sh":
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("python -m fanwise"):
                command = line.replace("python", sys.executable, 1)
                subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True)
            else:  # what CI, or the session that reads this, is itself
                assert re.match(r"python -m (pip install|nox)", line), line
    else:
        assert language in ("text", "json"), f"{path}: a block must say its language"


def test_there_are_blocks():
    assert len(page_blocks()) > 5
