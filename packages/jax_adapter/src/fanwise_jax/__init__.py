"""Weight initialization for JAX, by fanwise: native keys, devices, shardings and layers.

`initializer` makes an initializer of JAX's protocol; `init_params` and `plan_params` are for a
whole model under a `Recipe`, with the axes of each parameter from its layer's type (`declare`;
`trace_declarations` where the tree has no layers). `initializers` has the names and laws of
`jax.nn.initializers`. Schemes and recipes are those of the package `fanwise`.
"""

from . import initializers
from ._array import SchemeInitializer, initializer
from ._layers import declare
from ._source import JaxSource
from ._trace import trace_declarations
from ._tree import init_params, plan_params

__version__ = "0.1.0"

__all__ = [
    "JaxSource",
    "SchemeInitializer",
    "__version__",
    "declare",
    "init_params",
    "initializer",
    "initializers",
    "plan_params",
    "trace_declarations",
]
