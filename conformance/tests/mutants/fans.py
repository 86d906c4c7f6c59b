"""Mistakes in counting fans."""

# a mutant's name says what it is

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

from fanwise_conformance import oracle

from .catalogue import mutant
from .reference import Reference


class Scaled(Reference):
    """Of the schemes that scale by fans alone, and in float32: nothing else is broken."""

    schemes = ("he_normal", "glorot_uniform", "lecun_uniform")
    dtypes = ("float32",)
    transforms = ()

    def blocks(self, shape, axes):
        roles = oracle.Roles.read(axes)
        found = super().blocks(shape, axes)
        return [self.changed(block, roles, shape) for block in found]

    def changed(self, block, roles, shape):
        return block

    def resolve(self, scheme, shape, axes):
        return Reference.resolve(Reference(), scheme, shape, axes)  # as if it were right


def sizes(shape, roles, block=None):
    """The units of each role."""
    counts = {"out": 1, "in": 1, "kernel": 1, "stack": 1}
    for n, role in zip(shape, roles.roles, strict=True):
        counts[role] *= n
    return counts


def of(block, fan_in, fan_out):
    return dataclasses.replace(block, fan_in=Fraction(fan_in), fan_out=Fraction(fan_out))


@mutant("fan_in and fan_out are swapped", "PyTorch and Keras, transposed kernels", "moments/blocks")
class Swapped(Scaled):
    def changed(self, block, roles, shape):
        return of(block, block.fan_out, block.fan_in)


@mutant("the receptive field is left out", "a port of a dense layer's code", "moments/blocks")
class NoField(Scaled):
    def changed(self, block, roles, shape):
        taps = sizes(shape, roles)["kernel"]
        return of(block, block.fan_in / taps, block.fan_out / taps)


@mutant("groups multiply fan_out", "D6; PyTorch's depthwise convolutions", "moments/blocks")
class GroupsInFanOut(Scaled):
    def changed(self, block, roles, shape):
        return of(block, block.fan_in, block.fan_out * roles.groups)


@mutant("groups multiply fan_in", "D27: tinygrad's bound by in_channels", "moments/blocks")
class GroupsInFanIn(Scaled):
    def changed(self, block, roles, shape):
        return of(block, block.fan_in * roles.groups, block.fan_out)


@mutant("copies are a receptive field", "D8: lecun_normal on scanned layers", "moments/blocks")
class StackAsField(Scaled):
    def changed(self, block, roles, shape):
        copies = sizes(shape, roles)["stack"]
        return of(block, block.fan_in * copies, block.fan_out * copies)


@mutant("copies multiply fan_in", "D7: Flax's batch_dims", "moments/blocks")
class StackInFanIn(Scaled):
    def changed(self, block, roles, shape):
        return of(block, block.fan_in * sizes(shape, roles)["stack"], block.fan_out)


@mutant("experts are inputs", "D2: MaxText's in_axis=[0]", "moments/blocks")
class ExpertsAsInputs(Scaled):
    def changed(self, block, roles, shape):
        counts = sizes(shape, roles)
        if counts["stack"] == 1:
            return block
        return of(block, counts["stack"] * counts["out"], counts["in"] * counts["out"])


@mutant("a transposed kernel is taken for a plain one", "D9: ConvTranspose", "moments/blocks")
class TransposedAsPlain(Scaled):
    def changed(self, block, roles, shape):
        if not roles.transposed:
            return block
        stride = math.prod(roles.stride)
        return of(block, block.fan_out, block.fan_in * stride)


@mutant("strides do not count", "every framework's own fans", "moments/blocks")
class NoStride(Scaled):
    def changed(self, block, roles, shape):
        stride = math.prod(roles.stride)
        if roles.transposed:
            return of(block, block.fan_in * stride, block.fan_out)
        return of(block, block.fan_in, block.fan_out * stride)


@mutant(
    "an embedding has its tokens for inputs", "Keras' Embedding with a He law", "moments/blocks"
)
class Embedding(Scaled):
    def changed(self, block, roles, shape):
        if not roles.one_hot:
            return block
        return of(block, sizes(shape, roles)["in"], block.fan_out)


@mutant("fused projections are one block", "D11: MultiheadAttention's in_proj", "moments/blocks")
class Fused(Scaled):
    def changed(self, block, roles, shape):
        if not roles.blocks:
            return block
        counts = sizes(shape, roles)
        return of(block, counts["in"], counts["out"])


@mutant(
    "all blocks have the fans of the first", "a fused kernel of grouped queries", "moments/blocks"
)
class FirstBlock(Scaled):
    def blocks(self, shape, axes):
        found = super().blocks(shape, axes)
        return [of(block, found[0].fan_in, found[0].fan_out) for block in found]


@mutant("fans are those of a shard", "D32: Paddle's _local_shape", "moments/entries")
class OfShard(Scaled):
    def changed(self, block, roles, shape):
        return of(block, block.fan_in / 2, block.fan_out)


@mutant("the mean fan is the geometric one", "a mistaken fan_avg", "moments/entries")
class Geometric(Scaled):
    schemes = ("glorot_normal", "glorot_uniform")

    def changed(self, block, roles, shape):
        mean = Fraction(math.sqrt(block.fan_in * block.fan_out)).limit_denominator(10**6)
        return of(block, mean, mean)


@mutant("the fan is the greater one", "the article's He law", "moments/entries")
class Greater(Scaled):
    schemes = ("he_normal", "he_uniform")

    def changed(self, block, roles, shape):
        greater = max(block.fan_in, block.fan_out)
        return of(block, greater, greater)


@mutant("resolved fans are not those drawn", "two implementations of one formula", "exact/fans")
class OtherFans(Scaled):
    def resolve(self, scheme, shape, axes):
        resolved = super().resolve(scheme, shape, axes)
        return {**resolved, "fans": [[out, in_] for in_, out in resolved["fans"]]}


@mutant("resolved fans are whole numbers", "integer division by the stride", "exact/fans")
class WholeFans(Scaled):
    def resolve(self, scheme, shape, axes):
        resolved = super().resolve(scheme, shape, axes)
        whole = [[str(int(Fraction(fan))) for fan in pair] for pair in resolved["fans"]]
        return {**resolved, "fans": whole}
