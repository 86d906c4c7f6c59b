"""Weight initialization specified once, computed once, and the same in every framework.

A `Scheme` says which law weights follow, and `Axes` what the axes of a parameter mean. `resolve`
turns both and a shape into a `Plan`, in pure Python. A `Recipe` maps the parameters of a whole
model to schemes, and `plan_model` returns a `Ledger` of what happens to each.

Importing this package imports no array library. The adapters draw: `fanwise_torch`,
`fanwise_jax`, `fanwise_tf`; and for NumPy the module `numpy` of this package. What an adapter or
a host of a vendored copy needs is in the module `adapting`.
"""

from . import adapting, layers
from ._axes import Axes
from ._errors import (
    AxesError,
    DtypeError,
    FanError,
    GainError,
    LawError,
    RecipeError,
    SchemeError,
    SourceError,
)
from ._fans import Fans, block_fans, fans
from ._laws.joint import HaarOrthogonal, ZeroInflated
from ._laws.real import Constant, Law, Normal, TruncatedNormal, Uniform, Values
from ._models.ledger import Entry, Ledger, Measured
from ._models.parameter import Parameter, model_from_data, model_to_data
from ._models.planning import plan_model
from ._models.recipe import Recipe, Rule
from ._models.structure import Structure
from ._schemes.elementwise import (
    by_block,
    constant,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    ones,
    truncated_normal,
    uniform,
    variance_scaling,
    zeros,
)
from ._schemes.gains import gain
from ._schemes.plan import Plan, resolve
from ._schemes.scheme import Scheme
from ._schemes.structured import delta_orthogonal, dirac, identity, orthogonal, sparse
from ._structure.declaration import Declaration

__version__ = "0.1.0"

__all__ = [
    "Axes",
    "AxesError",
    "Constant",
    "Declaration",
    "DtypeError",
    "Entry",
    "FanError",
    "Fans",
    "GainError",
    "HaarOrthogonal",
    "Law",
    "LawError",
    "Ledger",
    "Measured",
    "Normal",
    "Parameter",
    "Plan",
    "Recipe",
    "RecipeError",
    "Rule",
    "Scheme",
    "SchemeError",
    "SourceError",
    "Structure",
    "TruncatedNormal",
    "Uniform",
    "Values",
    "ZeroInflated",
    "__version__",
    "adapting",
    "block_fans",
    "by_block",
    "constant",
    "delta_orthogonal",
    "dirac",
    "fans",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "layers",
    "lecun_normal",
    "lecun_uniform",
    "model_from_data",
    "model_to_data",
    "normal",
    "ones",
    "orthogonal",
    "plan_model",
    "resolve",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]
