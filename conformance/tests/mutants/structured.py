"""Mistakes in orthogonal matrices, identities and sparse weights."""

# a mutant's name says what it is

from __future__ import annotations

import numpy as np

from .catalogue import mutant
from .reference import Reference


class Orthogonal(Reference):
    schemes = ("orthogonal",)
    dtypes = ("float32", "complex64")
    transforms = ()


@mutant("no signs after the decomposition", "a QR as it comes", "law/haar")
class NoSigns(Orthogonal):
    def fix(self, q, diagonal):
        return q


@mutant("the determinant is always 1", "a rotation group in place of the orthogonal", "law/haar")
class Rotations(Orthogonal):
    dtypes = ("float32",)

    def orthogonal(self, g, rows, columns, *, is_complex):
        q = super().orthogonal(g, rows, columns, is_complex=is_complex)
        if rows == columns and np.linalg.det(q) < 0:
            q[:, 0] = -q[:, 0]
        return q


@mutant("of uniform numbers", "D21: MXNet's default", "law/haar")
class OfUniform(Orthogonal):
    def normal(self, g, shape):
        return g.random(shape) - 0.5


@mutant("a permutation with signs", "an orthogonal matrix of no law", "law/haar")
class SignedPermutation(Orthogonal):
    dtypes = ("float32",)

    def orthogonal(self, g, rows, columns, *, is_complex):
        matrix = np.eye(rows, columns)[g.permutation(rows)]
        return matrix * g.choice([-1.0, 1.0], size=columns)


@mutant("the gain is lost", "an argument that is not handed on", "law/orthogonal")
class LostGain(Orthogonal):
    def structured(self, scheme, view, g, taps):
        super().structured({**scheme, "gain": 1.0}, view, g, taps)


@mutant("gates are one matrix", "D10: Keras' recurrent kernels", "law/orthogonal")
class GatesAsOne(Orthogonal):
    def draw(self, scheme, shape, axes, **options):
        if isinstance(axes, dict) and "blocks" in axes:
            axes = axes["roles"]
        return super().draw(scheme, shape, axes, **options)


@mutant("experts are one matrix", "a stack that is flattened", "law/orthogonal")
class ExpertsAsOne(Orthogonal):
    def draw(self, scheme, shape, axes, **options):
        if axes == "stack out in" and shape[0] < 100:
            flat = (shape[0] * shape[1], shape[2])
            return super().draw(scheme, flat, "out in", **options).reshape(shape)
        return super().draw(scheme, shape, axes, **options)


@mutant("a kernel is flattened the wrong way", "D13: attention's kernels", "law/orthogonal")
class WrongFlattening(Orthogonal):
    def draw(self, scheme, shape, axes, **options):
        if axes == "out in kernel kernel":
            out, inputs, *taps = shape
            drawn = super().draw(scheme, (inputs, out, *taps), axes, **options)
            return drawn.transpose(1, 0, 2, 3)
        return super().draw(scheme, shape, axes, **options)


@mutant("columns are scaled for rows", "D19: dks on PyTorch's layout", "law/orthogonal")
class TransposedGain(Orthogonal):
    def structured(self, scheme, view, g, taps):
        super().structured(scheme, view, g, taps)
        view *= np.sqrt(view.shape[2] / view.shape[1])


@mutant("orthogonal in half precision", "a decomposition in the dtype", "law/orthogonal")
class HalfPrecision(Orthogonal):
    dtypes = ("float32",)

    def orthogonal(self, g, rows, columns, *, is_complex):
        q = super().orthogonal(g, rows, columns, is_complex=is_complex)
        return self.to_nearest(q, "bfloat16")


@mutant("a complex matrix is real", "a decomposition of real parts", "law/haar")
class RealMatrices(Orthogonal):
    dtypes = ("complex64",)

    def orthogonal(self, g, rows, columns, *, is_complex):
        return super().orthogonal(g, rows, columns, is_complex=False)


class Patterns(Reference):
    schemes = ("constant", "identity", "dirac", "delta_orthogonal", "sparse")
    dtypes = ("float32",)
    transforms = ()


@mutant("the center is k // 2", "PyTorch's dirac_, by default", "law/dirac")
class UpperCenter(Patterns):
    schemes = ("dirac",)

    def center(self, taps):
        return int(np.ravel_multi_index([n // 2 for n in taps], taps))


@mutant("a delta beside the center", "an even kernel", "law/delta-orthogonal")
class BesideCenter(Patterns):
    schemes = ("delta_orthogonal",)

    def center(self, taps):
        return int(np.ravel_multi_index([n // 2 for n in taps], taps))


@mutant("one identity for all groups", "dirac_ without groups", "law/dirac")
class OneGroup(Patterns):
    def structured(self, scheme, view, g, taps):
        super().structured(scheme, view, g, taps)
        if scheme["name"] == "dirac":
            view[1:] = 0


@mutant("the identity has a bias", "ones added to the diagonal", "law/identity")
class ShiftedIdentity(Patterns):
    def structured(self, scheme, view, g, taps):
        super().structured(scheme, view, g, taps)
        if scheme["name"] == "identity":
            view[:, 0, 1] = 1e-3


@mutant("a constant is rounded", "a constant in half precision", "law/constant")
class RoundedConstant(Patterns):
    def draw(self, scheme, shape, axes, **options):
        drawn = super().draw(scheme, shape, axes, **options)
        return drawn * 1.001 if scheme["name"] == "constant" else drawn


@mutant("zeros for each input", "torch's sparse_, by columns", "law/sparse")
class ZerosByInput(Patterns):
    def put_zeros(self, matrix, sparsity, g):
        super().put_zeros(matrix.T, sparsity, g)


@mutant("a zero with a probability", "a dropout mask", "law/sparse")
class Bernoulli(Patterns):
    def put_zeros(self, matrix, sparsity, g):
        matrix[g.random(matrix.shape) < sparsity] = 0


@mutant("the number of zeros is rounded down", "int() of a product", "law/sparse")
class FewerZeros(Patterns):
    def put_zeros(self, matrix, sparsity, g):
        for row in matrix:
            row[g.permutation(len(row))[: int(sparsity * len(row))]] = 0


@mutant("all units have their zeros at the same places", "one permutation", "law/sparse")
class SamePlaces(Patterns):
    def put_zeros(self, matrix, sparsity, g):
        count = int(np.ceil(sparsity * matrix.shape[1]))
        matrix[:, g.permutation(matrix.shape[1])[:count]] = 0


@mutant("sparse weights have half the std", "a correction for zeros", "law/sparse")
class CorrectedSparse(Patterns):
    def structured(self, scheme, view, g, taps):
        super().structured(scheme, view, g, taps)
        if scheme["name"] == "sparse":
            view *= 1.05
