"""Weight initialization for PyTorch, by fanwise: native generators, devices and layers.

`init_` is for a tensor that is there, `init` for a new one, and `initializer` makes a function as
`torch.nn.init` has them. `plan_model`, `init_model_` and `measure_model` are for a whole model
under a `Recipe`. `structure` reads what a model computes with each parameter, `declare` says what
the axes of a layer of your own mean, and `materialize_` is for a model on the device `meta`.
`nn_init` has the names and laws of `torch.nn.init`. Schemes and recipes are in the package
`fanwise`.
"""

from . import nn_init
from ._layers import declare
from ._meta import materialize_
from ._model import init_model_, measure_model, plan_model, structure
from ._source import TorchSource
from ._tensor import init, init_, initializer

__version__ = "0.1.0"

__all__ = [
    "TorchSource",
    "__version__",
    "declare",
    "init",
    "init_",
    "init_model_",
    "initializer",
    "materialize_",
    "measure_model",
    "nn_init",
    "plan_model",
    "structure",
]
