"""What adapters, vendored hosts and random sources of your own import.

Names here follow the core: a release may change them, and says so in the changelog. Users of a
framework need none of them.
"""

from . import conformance
from ._draws import samplers
from ._draws.draw import check_draw, draw
from ._draws.dtypes import (
    DTYPES,
    compute_dtype,
    field_of,
    for_field,
    inner_bounds,
    real_dtype,
    rounding,
)
from ._draws.sampled import SampledSource
from ._draws.source import Box, MutableSource, RandomSource
from ._draws.streams import STREAM, check_seed, parse_path, path_words, stream_key
from ._errors import annotate_errors
from ._fans import Fan, block_fans
from ._laws.complex import ComplexNormal, ComplexTruncatedNormal, ComplexUniform
from ._laws.real import law_data
from ._models.ledger import as_ledger
from ._models.measure import Slices, measure, measure_entries, measure_host
from ._models.norms import Norms, norms_in
from ._models.parameter import describe
from ._models.prepare import Found, prepare
from ._models.recipe import as_recipe
from ._models.replaced import warn_of_replaced
from ._schemes.depth import Depth
from ._schemes.elementwise import Family
from ._schemes.plan import Part, Plan
from ._schemes.scheme import as_scheme, scheme_names
from ._structure.declaration import UNKNOWN, Declarations, Declared, declarations_of, declared_in
from ._structure.record import Computation, Operation, call_of

__all__ = [
    "Box",
    "ComplexNormal",
    "ComplexTruncatedNormal",
    "ComplexUniform",
    "Computation",
    "DTYPES",
    "Declarations",
    "Declared",
    "Depth",
    "Family",
    "Fan",
    "Found",
    "MutableSource",
    "Norms",
    "Operation",
    "Part",
    "Plan",
    "RandomSource",
    "STREAM",
    "SampledSource",
    "Slices",
    "UNKNOWN",
    "annotate_errors",
    "as_ledger",
    "as_recipe",
    "as_scheme",
    "block_fans",
    "call_of",
    "check_draw",
    "check_seed",
    "compute_dtype",
    "conformance",
    "declarations_of",
    "declared_in",
    "describe",
    "draw",
    "field_of",
    "for_field",
    "inner_bounds",
    "law_data",
    "measure",
    "measure_entries",
    "measure_host",
    "norms_in",
    "parse_path",
    "path_words",
    "prepare",
    "real_dtype",
    "rounding",
    "samplers",
    "scheme_names",
    "stream_key",
    "warn_of_replaced",
]
