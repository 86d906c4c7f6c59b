"""Weight initialization for JAX, by fanwise: native keys, devices, shardings and layers.

`initializer` makes an initializer of the protocol of JAX, and `init` an array. `plan_model`,
`init_model` and `measure_model` are for a whole model under a `Recipe`. `declare` says what the
axes of a layer of your own mean; `trace_declarations` finds the layers of a model whose parameters
are a tree without them. `initializers` has the names and laws of `jax.nn.initializers`. Schemes
and recipes are in the package `fanwise`.
"""

from . import initializers
from ._array import SchemeInitializer, init, initializer
from ._declarations import trace_declarations
from ._layers import declare
from ._model import init_model, measure_model, plan_model, structure
from ._source import JaxSource

__version__ = "0.1.0"

__all__ = [
    "JaxSource",
    "SchemeInitializer",
    "__version__",
    "declare",
    "init",
    "init_model",
    "initializer",
    "initializers",
    "measure_model",
    "plan_model",
    "structure",
    "trace_declarations",
]
