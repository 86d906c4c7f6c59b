"""Follow docs/vendoring.md, block by block, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|python)(?: ([\w/.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Run the shell blocks, write the Python blocks that name a file, run those that name none."""
    installed = [name for name in ("fanwise", "numpy") if importlib.util.find_spec(name)]
    if installed:
        raise SystemExit(f"to prove anything, this must run without {installed} installed")
    blocks = BLOCK.findall((ROOT / "docs/vendoring.md").read_text())
    if len(blocks) < 4:
        raise SystemExit("docs/vendoring.md: its blocks were not found")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "upstream").symlink_to(ROOT, target_is_directory=True)
        for language, file, text in blocks:
            print(f"--- {language} {file}\n{text}", flush=True)
            if file:
                (work / file).write_text(text)
                continue
            command = ["bash", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
            subprocess.run(command, cwd=work, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
