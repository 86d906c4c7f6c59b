"""
GPT-2 and ResNet-50 from the command line
=========================================

Initialize GPT-2 small and ResNet-50 from their parameter lists, and read the files back.

Needs the core with its command: "./packages/core[cli]".
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

from fanwise import Recipe, model_from_data
from fanwise.numpy import init_model

EXAMPLES = Path(sys.argv[0]).parent
SEED = 0


def main() -> None:
    """Initialize each model into a file, which is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        for model in ("gpt2", "resnet50"):
            initialize(model, Path(folder) / f"{model}.safetensors")


def initialize(model: str, out: Path) -> None:
    """Run the command for a model; compare what it wrote with what the library draws."""
    listed, recipe = (EXAMPLES / f"{kind}/{model}.json" for kind in ("models", "recipes"))
    command = ["init", str(listed), "--recipe", str(recipe), "--seed", str(SEED)]
    print(f"\n$ python -m fanwise {' '.join(command)} --out {out}", flush=True)
    command = [sys.executable, "-m", "fanwise", *command, "--out", str(out)]
    print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    parameters = model_from_data(json.loads(listed.read_text()))
    rules = Recipe.from_data(json.loads(recipe.read_text()))
    arrays, _ = init_model(parameters, rules, seed=SEED)
    with safe_open(out, framework="numpy") as file:
        names = set(file.keys())
        for path, array in arrays.items():
            names.remove(path)
            if not np.array_equal(file.get_tensor(path), array):
                raise SystemExit(f"{path} did not load back equal")
    if names:
        raise SystemExit(f"{out} has what the library has not: {sorted(names)}")
    print(f"{out} loads back equal to what the library draws, parameter by parameter")


if __name__ == "__main__":
    main()
