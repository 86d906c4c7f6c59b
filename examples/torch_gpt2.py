"""
GPT-2 in PyTorch
================

GPT-2 small of transformers in PyTorch: planned on `meta`, then filled, by a recipe file.

Needs the core with NumPy, the PyTorch adapter, and transformers.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch
from fanwise_torch import init_model_, materialize_, measure_model, plan_model
from transformers import GPT2Config, GPT2LMHeadModel

from fanwise import Recipe

RECIPE = Path(sys.argv[0]).parent / "recipes/gpt2.json"


def main() -> None:
    """Initialize the model, print its ledger, and predict a token with it."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    recipe = Recipe.from_data(json.loads(RECIPE.read_text()))
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config())
    # No memory yet, and every error is found here. The computation tells that the layers of
    # transformers store their weights the other way round, and fuse query, key and value.
    example = torch.empty(1, 8, dtype=torch.long, device="meta")
    ledger = plan_model(model, recipe, example=example)

    materialize_(model, device=device)
    for name, buffer in model.named_buffers():
        if name.endswith("attn.bias"):  # the causal mask is the model's to fill, not a recipe's
            buffer.copy_(torch.ones_like(buffer).tril())
    init_model_(model, ledger, seed=0)

    measured = measure_model(model, ledger)
    print(ledger.table(measured))
    worst = max(abs(m.std_z) for m in measured.values() if m.std_z is not None)
    print(f"\n{len(measured)} parameters drawn; std off by {worst:.1f} standard errors at most")
    if worst > 6:
        raise SystemExit("a parameter does not follow its law")
    tokens = torch.arange(8, device=device)
    with torch.no_grad():
        logits = model(tokens[None]).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:]).item()
    print(f"loss {loss:.3f}; of a uniform guess {math.log(logits.shape[-1]):.3f}")


if __name__ == "__main__":
    main()
