"""Weight initialization for TensorFlow and Keras, by fanwise: stateless generators, native layers.

`initializer` draws a scheme where Keras takes an initializer, `init` makes a tensor, and `init_`
fills a variable. `plan_model`, `init_model_` and `measure_model` are for a whole model under a
`Recipe`. `declare` says what the axes of a layer of your own mean. `initializers` has the names and
laws of `keras.initializers`. Schemes and recipes are in the package `fanwise`.
"""

try:
    import tensorflow as _tensorflow
except ImportError as error:
    raise ImportError(
        "fanwise_tf needs TensorFlow, in any of its distributions: pip install tensorflow, or "
        "tensorflow-cpu"
    ) from error

from . import initializers
from ._initializer import SchemeInitializer, initializer
from ._layers import declare
from ._model import init_model_, measure_model, plan_model, structure
from ._source import TfSource
from ._tensor import init, init_

__version__ = "0.1.0"

__all__ = [
    "SchemeInitializer",
    "TfSource",
    "__version__",
    "declare",
    "init",
    "init_",
    "init_model_",
    "initializer",
    "initializers",
    "measure_model",
    "plan_model",
    "structure",
]

del _tensorflow
