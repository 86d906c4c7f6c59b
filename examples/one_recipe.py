"""
One recipe in three frameworks
==============================

One recipe file, one architecture, three frameworks: the ledgers have the same laws.

Needs the three adapters, and Flax.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import fanwise_jax
import fanwise_tf
import fanwise_torch
import jax
import keras
import torch
from flax import nnx

from fanwise import Ledger, Recipe

RECIPE = Path(sys.argv[0]).parent / "recipes/convnet.json"
SEED = 0


class TorchNet(torch.nn.Module):
    """The network in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 16, 3)
        self.grouped = torch.nn.Conv2d(16, 32, 3, groups=4, stride=2)
        self.up = torch.nn.ConvTranspose2d(32, 16, 4, stride=2)
        self.head = torch.nn.Linear(16, 10)


class FlaxNet(nnx.Module):
    """The network in Flax."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 16, (3, 3), rngs=rngs)
        self.grouped = nnx.Conv(16, 32, (3, 3), strides=2, feature_group_count=4, rngs=rngs)
        self.up = nnx.ConvTranspose(32, 16, (4, 4), strides=2, rngs=rngs)
        self.head = nnx.Linear(16, 10, rngs=rngs)


def keras_net() -> keras.Model:
    """The network in Keras."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, name="stem"),
            layers.Conv2D(32, 3, groups=4, strides=2, name="grouped"),
            layers.Conv2DTranspose(16, 4, strides=2, name="up"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, name="head"),
        ]
    )


def laws(ledger: Ledger) -> dict[str, list[object]]:
    """The fans and the law of each block, by a name that the frameworks share."""
    return {
        entry.path.replace(".weight", ".kernel"): [(part.fans, part.law) for part in plan.parts]
        for entry in ledger.entries
        if (plan := entry.plan) is not None
    }


def main() -> None:
    """Initialize the three networks, print their ledgers, and compare them."""
    recipe = Recipe.from_data(json.loads(RECIPE.read_text()))
    ledgers = {
        "PyTorch": fanwise_torch.init_model_(TorchNet(), recipe, seed=SEED),
        "Keras": fanwise_tf.init_model_(keras_net(), recipe, seed=SEED),
        "Flax": fanwise_jax.init_model(
            nnx.eval_shape(lambda: FlaxNet(nnx.Rngs(0))), recipe, key=jax.random.key(SEED)
        )[1],
    }
    for framework, ledger in ledgers.items():
        print(f"\n{framework}\n{ledger}")
    first, *others = map(laws, ledgers.values())
    if any(first != other for other in others):
        raise SystemExit("the laws differ")
    print(f"\nThe same {len(first)} laws in {', '.join(ledgers)}.")


if __name__ == "__main__":
    main()
