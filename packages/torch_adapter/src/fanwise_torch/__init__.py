"""Weight initialization for PyTorch, by fanwise: native generators, devices and layers.

`init_` and `init_like` are for one tensor, `init_module_` and `plan_module` for a whole model under
a `Recipe`, with the axes of each parameter from its layer's type (`declare`). `nn_init` has the
names and laws of `torch.nn.init`. Schemes and recipes are those of the package `fanwise`.
"""

from . import nn_init
from ._layers import declare
from ._module import init_module_, plan_module
from ._source import TorchSource
from ._tensor import init_, init_like

__version__ = "0.1.0"

__all__ = [
    "TorchSource",
    "__version__",
    "declare",
    "init_",
    "init_like",
    "init_module_",
    "nn_init",
    "plan_module",
]
