"""Weight initialization specified once, computed once, and the same in every framework.

A `Scheme` says which law weights follow, `Axes` what the axes of a parameter mean; `resolve`
turns both and a shape into a `Plan`, in pure Python; `draw` turns a plan into an array with a
`RandomSource`. A `Recipe` maps the parameters of a whole model to schemes, and `plan_model`
returns a `Ledger` of what happens to each.

Importing this package imports no array library. `numpy`, a module of it, is the embedded backend.
"""

from . import conformance, kernels, samplers
from ._axes import Axes, Role
from ._complex_laws import ComplexNormal, ComplexTruncatedNormal, ComplexUniform
from ._draw import check_draw, draw
from ._dtypes import DTYPES, component_dtype, compute_dtype, field_of, inner_bounds
from ._elementwise import (
    Family,
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
from ._errors import (
    AxesError,
    DtypeError,
    FanError,
    GainError,
    LawError,
    RecipeError,
    SchemeError,
    SourceError,
    noting_parameter,
)
from ._fans import Fan, Fans, block_fans, fans
from ._gains import GainConvention, gain
from ._joint_laws import Field, HaarOrthogonal, ZeroInflated
from ._laws import Constant, Law, Normal, TruncatedNormal, Uniform, law_data
from ._ledger import Entry, Ledger, Measured
from ._parameter import (
    Declaration,
    LeftAs,
    Parameter,
    check_loaded,
    declared_in,
    model_from_data,
    model_to_data,
    tie,
)
from ._plan import Part, Plan, resolve
from ._planning import plan_model
from ._recipe import Depth, Recipe, Rule
from ._schemes import Scheme
from ._source import RandomSource, Region
from ._stream import STREAM, parse_path, path_words, stream_key
from ._structured import delta_orthogonal, dirac, identity, orthogonal, sparse

__version__ = "0.1.0"

__all__ = [
    "Axes",
    "AxesError",
    "ComplexNormal",
    "ComplexTruncatedNormal",
    "ComplexUniform",
    "Constant",
    "DTYPES",
    "Declaration",
    "Depth",
    "DtypeError",
    "Entry",
    "Family",
    "Fan",
    "FanError",
    "Fans",
    "Field",
    "GainConvention",
    "GainError",
    "HaarOrthogonal",
    "Law",
    "LawError",
    "Ledger",
    "LeftAs",
    "Measured",
    "Normal",
    "Parameter",
    "Part",
    "Plan",
    "RandomSource",
    "Recipe",
    "RecipeError",
    "Region",
    "Role",
    "Rule",
    "STREAM",
    "Scheme",
    "SchemeError",
    "SourceError",
    "TruncatedNormal",
    "Uniform",
    "ZeroInflated",
    "__version__",
    "block_fans",
    "check_draw",
    "check_loaded",
    "component_dtype",
    "compute_dtype",
    "conformance",
    "constant",
    "declared_in",
    "delta_orthogonal",
    "dirac",
    "draw",
    "fans",
    "field_of",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "inner_bounds",
    "kernels",
    "law_data",
    "lecun_normal",
    "lecun_uniform",
    "model_from_data",
    "model_to_data",
    "normal",
    "noting_parameter",
    "ones",
    "orthogonal",
    "parse_path",
    "path_words",
    "plan_model",
    "resolve",
    "samplers",
    "sparse",
    "stream_key",
    "tie",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]
