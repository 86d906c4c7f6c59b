"""
Same name, different laws
=========================

Draw what each framework calls `glorot_normal`, for one grouped convolution.

Needs the three adapters, and Matplotlib. With the name of a file, the figure is saved there:
`python examples/same_name.py docs/images/glorot_normal.svg` is how the README got its own.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import keras
import matplotlib as mpl
import numpy as np
import torch
from fanwise_torch import init
from matplotlib import pyplot as plt

from fanwise import glorot_normal, layers

SHAPE = (128, 16, 3, 3)  # a convolution of 64 to 128 channels in 4 groups, output channels first


def drawn() -> dict[str, np.ndarray]:
    """The weights that each calls `glorot_normal`, for the layer above."""
    last = (3, 3, 16, 128)  # the same kernel, output channels last
    native = torch.nn.init.xavier_normal_(torch.empty(SHAPE))
    of_jax = jax.nn.initializers.glorot_normal()(jax.random.key(0), last)
    of_keras = keras.initializers.GlorotNormal(seed=0)(last)
    axes = layers.torch.conv(2, groups=4)
    ours = init(glorot_normal(), SHAPE, axes, seed=0, path="conv.weight")
    return {
        "PyTorch": native.numpy().ravel(),
        "JAX": np.asarray(of_jax).ravel(),
        "Keras": np.asarray(of_keras).ravel(),
        "fanwise, in each": ours.numpy().ravel(),
    }


def main() -> None:
    """Draw the figure."""
    torch.manual_seed(0)
    mpl.rcParams.update({"svg.hashsalt": "fanwise", "font.size": 9})
    figure, plots = plt.subplots(1, 4, figsize=(8, 2), sharex=True, sharey=True, layout="tight")
    for plot, (name, values) in zip(plots, drawn().items(), strict=True):
        color = "tab:orange" if name.startswith("fanwise") else "tab:gray"
        plot.hist(values, bins=120, range=(-0.3, 0.3), density=True, color=color)
        plot.set_title(f"{name}\nstd {values.std():.3f}", fontsize=9)
        plot.set_yticks([])
        plot.spines[["top", "right", "left"]].set_visible(False)
    for file in sys.argv[1:]:
        figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()
