"""What this package uses of Keras that Keras does not document: each symbol, and why.

Checked with the releases 3.10.0 and 3.15.1. Where Keras offers a public way, use that instead.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras

# The bases of all convolutions and of all merging layers, and the cell of convolutional LSTMs: what
# they declare is the same, and a subclass of a public class is known by its base.
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.merging.base_merge import Merge
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell
from keras.src.models.functional import Functional

# How Keras makes the name of a layer that is given none, from the name of its class.
from keras.src.utils.naming import to_snake_case

__all__ = [
    "BaseConv",
    "BaseConvTranspose",
    "BaseDepthwiseConv",
    "BaseSeparableConv",
    "ConvLSTMCell",
    "Merge",
    "layers_within",
    "to_snake_case",
    "variable_being_made",
    "was_run",
]


def layers_within(layer: Any, /) -> list[Any]:
    """The layers of the next level: `Model.layers` has those of a model, and no layer has any."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def was_run(model: Any, /) -> bool:
    """Whether a model was called, or is a graph: what has no variables then never gets any.

    `built` does not tell: Keras sets it after `build`, whatever that left out.
    """
    if isinstance(model, keras.Sequential):
        return bool(model.built)
    return isinstance(model, Functional) or bool(model._called)


def variable_being_made() -> tuple[Any, Any]:
    """The variable that an initializer is called for, and the layer that adds it; None if none.

    Keras calls an initializer with a shape and a dtype alone; that it does so within the methods
    of the variable and of the layer is all that tells them. The frames above are read, and nothing
    is changed. They are the innermost of each kind: a layer that adds a variable adds it itself.
    """
    variable = layer = None
    frame = inspect.currentframe()
    while frame is not None and layer is None:
        owner = frame.f_locals.get("self")
        if variable is None and isinstance(owner, keras.Variable):
            variable = owner
        elif variable is not None and isinstance(owner, keras.Layer):
            layer = owner
        frame = frame.f_back
    return variable, layer
