"""Weight initialization for TensorFlow and Keras, by fanwise: stateless generators, native layers.

`Initializer` draws a scheme where Keras takes an initializer; `init_model` and `plan_keras_model`
are for a whole model under a `Recipe`, with the axes of each variable from its layer's type
(`declare`). `initializers` has the names and laws of `keras.initializers`. Schemes and recipes are
those of the package `fanwise`.
"""

try:
    import tensorflow as _tensorflow
except ImportError as error:
    raise ImportError(
        "fanwise_tf needs TensorFlow, in any of its distributions: pip install tensorflow, or "
        "tensorflow-cpu"
    ) from error

from . import initializers
from ._layers import declare
from ._model import init_model, plan_keras_model
from ._source import TfSource
from ._tensor import Initializer

__version__ = "0.1.0"

__all__ = [
    "Initializer",
    "TfSource",
    "__version__",
    "declare",
    "init_model",
    "initializers",
    "plan_keras_model",
]

del _tensorflow
