"""Mistakes in dtypes and under transforms."""

# a mutant's name says what it is

from __future__ import annotations

import numpy as np
from fanwise_conformance import formats
from scipy import special

from .catalogue import mutant
from .reference import Reference


class Narrow(Reference):
    schemes = ("normal", "uniform", "truncated_normal")
    dtypes = ("float32", "bfloat16", "float16")
    transforms = ()


@mutant("bfloat16 has 128 different values", "D4: JAX's rng_bits=8", "dtype/law")
class FewBits(Narrow):
    def rounded(self, values, dtype, law):
        if dtype == "float32":
            return super().rounded(values, dtype, law)
        low, high = law.ppf(1 / 256), law.ppf(255 / 256)
        steps = np.floor(law.cdf(values) * 128)
        return super().rounded(np.clip(law.ppf((steps + 0.5) / 128), low, high), dtype, law)


@mutant(
    "the inverse error function is computed in bfloat16", "D22: timm's trunc_normal_", "dtype/law"
)
class NarrowSampler(Narrow):
    def truncated(self, g, shape, a, b):
        return self._between(self.to_nearest(g.random(shape), "bfloat16"), a, b)

    def rounded(self, values, dtype, law):
        return super().rounded(values, dtype, law)


@mutant("rounded toward zero", "a cast by truncation of bits", "dtype/rounded-once")
class TowardZero(Narrow):
    @staticmethod
    def to_nearest(values, dtype):
        if dtype == "float32":
            return values.astype(np.float32)
        listed = formats.numbers(dtype)
        magnitude = listed[listed >= 0]
        single = values.astype(np.float32).astype(np.float64)
        return np.sign(single) * magnitude[np.searchsorted(magnitude, np.abs(single), "right") - 1]


@mutant(
    "the scale is applied in bfloat16",
    "a standard draw that is multiplied in the dtype",
    "dtype/rounded-once",
)
class RoundedTwice(Narrow):
    def rounded(self, values, dtype, law):
        if dtype == "float32":
            return super().rounded(values, dtype, law)
        standard = self.to_nearest(values / 0.7, dtype)
        return super().rounded(standard * 0.7, dtype, law)


@mutant(
    "low precision is drawn anew", "a generator that depends on the dtype", "dtype/rounded-once"
)
class OtherStream(Narrow):
    def rounded(self, values, dtype, law):
        if dtype == "float32":
            return super().rounded(values, dtype, law)
        return super().rounded(2 * law.mean - values if law.low == -law.high or not
                               np.isfinite(law.low) else values, dtype, law)  # fmt: skip


@mutant("bounds are left by rounding", "D4: JAX's bfloat16 bounds", "dtype/law")
class LeftBounds(Narrow):
    schemes = ("truncated_normal",)

    def rounded(self, values, dtype, law):
        return self.to_nearest(values, dtype)


@mutant("float8 overflows to no number", "D4: JAX's NaN in float8", "dtype/law")
class NoNumber(Narrow):
    schemes = ("normal",)
    dtypes = ("float32", "float8_e4m3fn")

    def rounded(self, values, dtype, law):
        drawn = super().rounded(values, dtype, law)
        return np.where(np.abs(drawn) > 3, np.nan, drawn) if dtype != "float32" else drawn


@mutant("values that the dtype has not", "a storage dtype that is ignored", "dtype/law")
class WrongDtype(Narrow):
    schemes = ("normal",)

    def rounded(self, values, dtype, law):
        return values.astype(np.float32)


@mutant("float32 has 21 bits", "a uniform number of a float16 and some", "dtype/resolution")
class ShortUniform(Reference):
    schemes = ("normal", "uniform", "truncated_normal")
    dtypes = ("float32",)
    transforms = ()

    def uniform(self, g, shape):
        return (np.floor(g.random(shape) * 2**21) + 0.5) / 2**21

    def normal(self, g, shape):
        return special.ndtri(self.uniform(g, shape))


@mutant("compiled, it draws others", "another generator under a compiler", "dtype/transforms")
class OtherCompiled(Narrow):
    transforms = ("jit",)

    def draw(self, scheme, shape, axes, *, seed, transform, **options):
        return super().draw(
            scheme, shape, axes, seed=seed + (transform is not None), transform=None, **options
        )


@mutant("compiled, the scale is lost", "a constant folded at tracing", "dtype/transforms")
class LostScale(Narrow):
    transforms = ("jit",)

    def draw(self, scheme, shape, axes, *, transform, **options):
        drawn = super().draw(scheme, shape, axes, transform=None, **options)
        return drawn * (0.99 if transform else 1.0)
