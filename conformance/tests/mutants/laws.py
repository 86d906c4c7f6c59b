"""Mistakes in laws and samplers."""

# a mutant's name says what it is

from __future__ import annotations

import dataclasses
import math

import numpy as np
from fanwise_conformance import oracle
from scipy import special

from .catalogue import mutant
from .reference import ELEMENTWISE, Reference

KAPPA = 0.87962566103423978  # the std of a standard normal that is cut at 2


class Elementwise(Reference):
    """Of elementwise schemes in float32."""

    schemes = ELEMENTWISE
    dtypes = ("float32",)
    transforms = ()


class Normal(Elementwise):
    schemes = ("normal",)


class Uniform(Elementwise):
    schemes = ("uniform",)


class Truncated(Elementwise):
    schemes = ("truncated_normal", "variance_scaling")


def rescaled(law, factor):
    """The law of values a factor as large."""
    if law.frozen.dist.name == "norm":
        return oracle.normal(law.std * factor, law.mean * factor)
    if law.frozen.dist.name == "uniform":
        return oracle.uniform(law.low * factor, law.high * factor)
    scale, loc = law.frozen.kwds["scale"], law.frozen.kwds["loc"]
    return oracle.truncated(scale * factor, law.low * factor, law.high * factor, loc * factor)


@mutant("the cut is not corrected for", "D23: haiku's and Sonnet's defaults", "moments/entries")
class Uncorrected(Truncated):
    def law(self, scheme, block):
        law = super().law(scheme, block)
        return law if "parent_std" in scheme else rescaled(law, KAPPA)


@mutant("bounds are absolute", "D1: Hugging Face's lecun_normal_", "law/entries")
class AbsoluteBounds(Truncated):
    def law(self, scheme, block):
        law = super().law(scheme, block)
        if scheme.get("bounds") == "absolute":
            return law
        return dataclasses.replace(
            oracle.truncated(law.frozen.kwds["scale"], -2.0, 2.0), low=law.low, high=law.high
        )

    def rounded(self, values, dtype, law):
        return self.to_nearest(values, dtype)


@mutant("values are wrapped instead of cut", "D29: fastai's trunc_normal_", "law/entries")
class Wrapped(Truncated):
    def truncated(self, g, shape, a, b):
        values = self.normal(g, shape)
        return np.clip(np.fmod(values, b), a, b) if a < 0 else super().truncated(g, shape, a, b)


@mutant("the best of four candidates, good or not", "D5: Keras on PyTorch", "support/bounds")
class FourCandidates(Truncated):
    def truncated(self, g, shape, a, b):
        if a > 0:
            return super().truncated(g, shape, a, b)
        drawn = self.normal(g, (*shape, 4))
        good = (drawn >= a) & (drawn <= b)
        return np.take_along_axis(drawn, good.argmax(-1)[..., None], -1)[..., 0]

    def rounded(self, values, dtype, law):
        return self.to_nearest(values, dtype)


@mutant(
    "a correction of the variance is one of the std", "a confusion of two tables", "moments/entries"
)
class WrongCorrection(Truncated):
    def law(self, scheme, block):
        law = super().law(scheme, block)
        return law if "parent_std" in scheme else rescaled(law, 1 / KAPPA)


@mutant("a skewed cut is taken for a symmetric one", "a constant for all bounds", "moments/entries")
class Symmetric(Truncated):
    def law(self, scheme, block):
        law = super().law(scheme, block)
        if "std" not in scheme or scheme.get("bounds") == "absolute":
            return law
        low, high = scheme.get("low", -2.0), scheme.get("high", 2.0)
        parent = scheme["std"] / KAPPA
        return oracle.truncated(parent, low * parent, high * parent)


@mutant("a tail is the nearer bound", "clipping in place of sampling", "law/entries")
class ClippedTail(Truncated):
    def truncated(self, g, shape, a, b):
        return np.clip(self.normal(g, shape), a, b) if a > 0 else super().truncated(g, shape, a, b)


@mutant("a normal Glorot law is cut", "JAX and Keras, by that name", "moments/entries")
class CutGlorot(Elementwise):
    schemes = ("glorot_normal",)

    def law(self, scheme, block):
        std = super().law(scheme, block).std
        return oracle.truncated(std / KAPPA, -2 * std / KAPPA, 2 * std / KAPPA)


@mutant("He's gain is 1", "D24: MLX and Lasagne", "moments/entries")
class NoGain(Elementwise):
    schemes = ("he_normal", "he_uniform")

    def law(self, scheme, block):
        return rescaled(super().law(scheme, block), math.sqrt(0.5))


@mutant("the gain is squared", "D16: Lux's calculate_gain(relu) = 2", "moments/entries")
class SquaredGain(Elementwise):
    schemes = ("he_normal", "he_uniform")

    def law(self, scheme, block):
        return rescaled(super().law(scheme, block), math.sqrt(2))


@mutant("the bound of a uniform law is its std", "a forgotten sqrt(3)", "moments/entries")
class StdAsBound(Elementwise):
    schemes = ("glorot_uniform", "he_uniform", "lecun_uniform")

    def law(self, scheme, block):
        return rescaled(super().law(scheme, block), 1 / math.sqrt(3))


@mutant("a uniform law is made of normal numbers", "D15: Lux's randn32", "moments/entries")
class UniformOfNormal(Uniform):
    def uniform(self, g, shape):
        return self.normal(g, shape)

    def rounded(self, values, dtype, law):
        return self.to_nearest(values, dtype)


@mutant("a uniform law is of [0, b)", "JAX's uniform for a symmetric one", "moments/entries")
class Positive(Uniform):
    def entries(self, law, g, shape):
        return law.high * self.uniform(g, shape)


@mutant("a uniform law has its upper end", "rounding of [low, high)", "support/excluded-end")
class UpperEnd(Uniform):
    dtypes = ("float32", "bfloat16")

    def rounded(self, values, dtype, law):
        return np.minimum(self.to_nearest(values, dtype), law.high)


@mutant("the std is off by one percent", "a scale rounded to bfloat16", "moments/entries")
class RoundedScale(Normal):
    def law(self, scheme, block):
        return rescaled(super().law(scheme, block), 1.015)


@mutant(
    "the mean is off by a hundredth of the std",
    "a uniform number of [0, 1) taken down",
    "moments/entries",
)
class ShiftedMean(Normal):
    def normal(self, g, shape):
        return super().normal(g, shape) + 0.01


@mutant("right variance, wrong kurtosis", "a sum of twelve uniform numbers", "moments/entries")
class TwelveUniforms(Normal):
    def normal(self, g, shape):
        return sum(g.random(shape) for _ in range(12)) - 6.0


@mutant("right moments up to the fourth, wrong law", "a mixture of points", "law/entries")
class RightMoments(Normal):
    def normal(self, g, shape):
        u = g.random(shape)  # Gauss-Hermite's three points have the first five moments
        return np.where(u < 1 / 6, -math.sqrt(3), np.where(u < 1 / 3, math.sqrt(3), 0.0))


@mutant("a comb", "a table of quantiles that is not interpolated", "law/entries")
class Comb(Normal):
    def normal(self, g, shape):
        u = g.random(shape)
        return special.ndtri(
            np.clip(u + 0.15 * np.sin(400 * np.pi * u) / (400 * np.pi), 1e-12, 1 - 1e-12)
        )


@mutant("one in twenty thousand is out of bounds", "a rejection that gives up", "support/bounds")
class Leak(Truncated):
    def truncated(self, g, shape, a, b):
        drawn = super().truncated(g, shape, a, b)
        return np.where((g.random(shape) < 5e-5) & (a < 0), b + 1e-3 * (b - a), drawn)

    def rounded(self, values, dtype, law):
        return self.to_nearest(values, dtype)


@mutant(
    "a bound is rounded up where it is large",
    "low + u (high - low) in float32",
    "support/excluded-end",
)
class LargeBound(Uniform):
    def rounded(self, values, dtype, law):
        drawn = super().rounded(values, dtype, law)
        return np.where((values > law.high - 1e-4) & (law.high > 2), law.high, drawn)


@mutant("skewed", "a log of the wrong sign", "moments/entries")
class Skewed(Normal):
    def normal(self, g, shape):
        return (g.gamma(1e4, size=shape) - 1e4) / 1e2


@mutant("nothing beyond four standard deviations", "a Box-Muller of 12 bits", "law/tails")
class ShortTails(Normal):
    def normal(self, g, shape):
        drawn = super().normal(g, shape)
        return np.where(np.abs(drawn) > 4, g.standard_normal(shape) / 4, drawn)


@mutant(
    "one number in a million is infinite", "XLA's inverse normal distribution", "support/finite"
)
class Infinite(Normal):
    def normal(self, g, shape):
        u = g.random(shape)
        return np.where(u < 2e-4, -np.inf, special.ndtri(np.maximum(u, 1e-300)))


@mutant("numbers of float64 are kept", "a cast forgotten", "support/finite")
class NotRounded(Normal):
    def rounded(self, values, dtype, law):
        return values


@mutant("laws are resolved to single precision", "scales computed in float32", "exact/laws")
class SinglePrecision(Elementwise):
    schemes = (*ELEMENTWISE, "constant")

    def numbers(self, scheme, block, shape):
        return {k: float(np.float32(v)) for k, v in super().numbers(scheme, block, shape).items()}


@mutant("an option is lost in data", "a default that is not the factory's", "exact/serialized")
class LostOption(Normal):
    def serialize(self, scheme):
        return dict(list(scheme.items())[: max(1, len(scheme) - 1)])


class Complex(Elementwise):
    schemes = ("normal", "truncated_normal", "uniform", "he_normal")
    dtypes = ("float32", "complex64")


@mutant(
    "the variance of complex numbers is doubled", "D14: PyTorch's kaiming_uniform_", "law/complex"
)
class DoubledVariance(Complex):
    def complex_entries(self, scheme, law, g, shape):
        return math.sqrt(2) * super().complex_entries(scheme, law, g, shape)


@mutant("complex numbers are real", "Keras on NumPy", "law/complex")
class NoImaginary(Complex):
    def complex_entries(self, scheme, law, g, shape):
        return super().complex_entries(scheme, law, g, shape).real * math.sqrt(2) + 0j


@mutant("a complex cut has a wrong constant", "D3: JAX's 0.9531", "law/complex")
class ComplexConstant(Complex):
    def complex_entries(self, scheme, law, g, shape):
        factor = 0.96196182800821 / 0.95311164380491208
        return factor * super().complex_entries(scheme, law, g, shape)


@mutant("a complex uniform law is on a square", "PyTorch's uniform_", "law/complex")
class OnSquare(Complex):
    def complex_entries(self, scheme, law, g, shape):
        if law.frozen.dist.name != "uniform":
            return super().complex_entries(scheme, law, g, shape)
        side = law.high * math.sqrt(3) / 2
        return side * (2 * g.random(shape) - 1 + 1j * (2 * g.random(shape) - 1))


@mutant("the phase is of half a turn", "an arc sine of a uniform number", "law/complex")
class HalfPhase(Complex):
    def complex_entries(self, scheme, law, g, shape):
        drawn = super().complex_entries(scheme, law, g, shape)
        return np.where(drawn.real < 0, -drawn, drawn)
