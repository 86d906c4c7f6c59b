"""Mistakes in seeds, paths, and what values depend on."""

# a mutant's name says what it is; global state is the point

from __future__ import annotations

import numpy as np
from fanwise_conformance import oracle

from .catalogue import mutant
from .reference import Reference


class Plain(Reference):
    schemes = ("normal", "uniform", "truncated_normal", "he_normal")
    dtypes = ("float32",)
    transforms = ()


@mutant("a constant seed", "D18: WeightInitializers' default_rng", "stream/repeats")
class ConstantSeed(Plain):
    def key(self, seed, path):
        return super().key(1234, path)


@mutant("a constant seed for one law", "a sampler with a generator of its own", "stream/repeats")
class ConstantSeedOfCut(Plain):
    def truncated(self, g, shape, a, b):
        return super().truncated(np.random.default_rng(1234), shape, a, b)


@mutant("the shape drawn before counts", "a buffer that is shared", "stream/order")
class ShapeBefore(Plain):
    def __init__(self):
        self.before = None

    def draw(self, scheme, shape, axes, *, path, **options):
        if scheme["name"] == "uniform" and self.before not in (None, shape):
            path += str(self.before)
        self.before = shape if scheme["name"] == "uniform" else None
        return super().draw(scheme, shape, axes, path=path, **options)


@mutant("rows are standardized", "weight standardization in place of a draw", "moments/lines")
class Standardized(Plain):
    def normal(self, g, shape):
        drawn = super().normal(g, shape)
        if drawn.ndim == 2:
            drawn = (drawn - drawn.mean(1, keepdims=True)) * np.sqrt(shape[1] / (shape[1] - 1))
        return drawn


@mutant("paths do not count", "D33: TransformerEncoder's deep copies", "stream/repeats")
class NoPath(Plain):
    def key(self, seed, path):
        return super().key(seed, "")


@mutant(
    "seed and counter are added", "streams of neighbouring seeds overlap", "independence/parameters"
)
class SeedPlusCounter(Plain):
    def key(self, seed, path):
        digits = "".join(c for c in path if c.isdigit())
        return super().key(seed + int(digits or 0), "".join(c for c in path if not c.isdigit()))


@mutant("a seed has 32 bits", "PyTorch's Mersenne Twister on a CPU", "independence/parameters")
class ShortSeed(Plain):
    def key(self, seed, path):
        return super().key(seed % 2**32, path)


@mutant("a seed has no sign", "an absolute value of a signed seed", "independence/parameters")
class NoSign(Plain):
    def key(self, seed, path):
        return super().key(min(seed, 2**64 - 1 - seed), path)


@mutant("segments of paths run together", "a join without a separator", "independence/parameters")
class RunTogether(Plain):
    def key(self, seed, path):
        return super().key(seed, path.replace(".", ""))


@mutant("a path has no order", "a sum of hashes", "independence/duplicates")
class NoOrder(Plain):
    def key(self, seed, path):
        return super().key(seed, ".".join(sorted(path.split("."))))


@mutant(
    "a child has the stream of its parent",
    "a block that is drawn by the parameter's key",
    "stream/blocks",
)
class ChildAsParent(Plain):
    def child(self, path, number):
        return path


@mutant("blocks are counted from 1", "another convention for children", "stream/blocks")
class CountedFromOne(Plain):
    def child(self, path, number):
        return super().child(path, number + 1)


@mutant("values depend on the order", "nnx's and Keras' counters", "stream/order")
class Counted(Plain):
    def __init__(self):
        self.count = 0

    def key(self, seed, path):
        self.count += 1
        return super().key(seed, f"{path}{self.count}")


@mutant(
    "the global state is advanced", "a permutation without its generator", "stream/global-state"
)
class Advanced(Plain):
    def generator(self, seed, path):
        np.random.random()
        return super().generator(seed, path)


@mutant("the global state is read", "D12: sparse_ ignores its generator", "stream/global-state")
class Read(Plain):
    def generator(self, seed, path):
        extra = int(np.random.get_state()[1][0]) + int(np.random.get_state()[2])
        return super().generator(seed, f"{path}{extra}")


@mutant("experts are copies", "one draw that is broadcast", "independence/kernels")
class Copies(Plain):
    def draw(self, scheme, shape, axes, **options):
        drawn = super().draw(scheme, shape, axes, **options)
        if axes is not None and "stack" in oracle.Roles.read(axes).roles:
            drawn[1:] = drawn[:1]
        return drawn


@mutant("groups are copies", "one group that is tiled", "independence/kernels")
class Tiled(Plain):
    def draw(self, scheme, shape, axes, **options):
        drawn = super().draw(scheme, shape, axes, **options)
        groups = 1 if axes is None else oracle.Roles.read(axes).groups
        if groups > 1:
            drawn.reshape(groups, -1)[1:] = drawn.reshape(groups, -1)[:1]
        return drawn


@mutant(
    "the halves are antithetic",
    "variance reduction where there should be none",
    "independence/lags",
)
class Antithetic(Plain):
    def normal(self, g, shape):
        n = int(np.prod(shape))
        half = g.standard_normal(-(-n // 2))
        return np.concatenate([half, -half])[:n].reshape(shape)


@mutant("neighbours are correlated", "a generator's successive words", "independence/lags")
class Neighbours(Plain):
    def normal(self, g, shape):
        n = int(np.prod(shape))
        z = g.standard_normal(n + 1)
        return (z[1:] * np.sqrt(1 - 0.02**2) + 0.02 * z[:-1]).reshape(shape)


@mutant(
    "neighbours of a truncated law are correlated",
    "rejection that uses numbers twice",
    "independence/truncated",
)
class TruncatedNeighbours(Plain):
    schemes = ("truncated_normal",)

    def uniform(self, g, shape):
        u = g.random(shape)
        flat = u.reshape(-1)
        flat[1::50] = flat[: len(flat[1::50]) * 50 : 50][: len(flat[1::50])]
        return u


@mutant("volatile neighbours", "squares that are correlated", "independence/lags")
class Volatile(Plain):
    def normal(self, g, shape):
        n = int(np.prod(shape))
        z = g.standard_normal(n)
        z[1::2] = np.abs(z[::2][: len(z[1::2])]) * np.sign(z[1::2])
        return z.reshape(shape)


@mutant(
    "volatile at a distance",
    "a long array drawn in pieces of 2^16, with some of the words of the piece before",
    "independence/lags",
)
class VolatileFar(Plain):
    def normal(self, g, shape):
        n, piece = int(np.prod(shape)), 2**16
        z = g.standard_normal(n)
        if n > 2**19:
            again = g.random(n - piece) < 0.1
            before = z[:-piece][again].copy()
            z[piece:][again] = np.abs(before) * np.sign(z[piece:][again])
        return z.reshape(shape)


@mutant("the period is 2^16", "a counter of a short integer", "independence/lags")
class ShortPeriod(Plain):
    def normal(self, g, shape):
        return np.resize(g.standard_normal(2**16), shape)


@mutant("rows repeat", "a key for each column", "moments/lines")
class RowsRepeat(Plain):
    def normal(self, g, shape):
        if len(shape) < 2:
            return super().normal(g, shape)
        return np.broadcast_to(g.standard_normal(shape[-1]), shape).copy()


@mutant("one row is another's negative", "a sign bit that is the row's", "independence/rows")
class NegativeRow(Plain):
    schemes = ("normal",)

    def normal(self, g, shape):
        drawn = super().normal(g, shape)
        if drawn.ndim == 2:
            drawn[-1] = -drawn[0]
        return drawn


@mutant("columns have different scales", "a std for each unit", "moments/lines")
class ColumnScales(Plain):
    def normal(self, g, shape):
        drawn = super().normal(g, shape)
        if drawn.ndim == 2:
            scale = np.where(np.arange(shape[1]) % 2, 1.2, np.sqrt(2 - 1.44))
            drawn = drawn * scale
        return drawn


@mutant("a bit is stuck", "a mask of one bit too many", "independence/stream")
class StuckBit(Plain):
    schemes = ("uniform",)

    def uniform(self, g, shape):
        words = (g.random(shape) * 2**24).astype(np.int64)
        return ((words & ~(1 << 12)) | ((words >> 13 & 1) << 12)) / 2**24


@mutant("RANDU", "IBM's generator of 1968", "independence/stream")
class Randu(Plain):
    schemes = ("uniform",)

    def uniform(self, g, shape):
        n = int(np.prod(shape))
        lanes = 65539 ** np.arange(1, 9, dtype=object) % 2**31
        start = g.integers(1, 2**31, size=-(-n // 8)) | 1
        words = (start[:, None] * lanes.astype(np.int64)) % 2**31
        return (words.reshape(-1)[:n] / 2**31).reshape(shape)


@mutant("points are spaced evenly", "a sequence of low discrepancy", "independence/stream")
class EvenSpacings(Plain):
    schemes = ("uniform",)

    def uniform(self, g, shape):
        n = int(np.prod(shape))
        start = np.repeat(g.random(-(-n // 256)), 256)[:n]
        return ((start + np.arange(n) % 256 * 0.6180339887498949) % 1).reshape(shape)


@mutant("a call repeats another's values", "a buffer that is not refilled", "independence/calls")
class Buffered(Plain):
    def __init__(self):
        self.buffer = {}

    def normal(self, g, shape):
        n = int(np.prod(shape))
        if n not in (777, 1000):
            return super().normal(g, shape)
        if n not in self.buffer:
            self.buffer[n] = g.standard_normal(n)
            self.buffer[777] = self.buffer[n][:777]
        return self.buffer[n]


@mutant("blocks are one draw", "a fused kernel that is drawn whole", "stream/blocks")
class OneDraw(Plain):
    def draw(self, scheme, shape, axes, **options):
        if axes is not None and scheme["name"] == "he_normal" and oracle.Roles.read(axes).blocks:
            roles = " ".join(oracle.Roles.read(axes).roles)
            return super().draw(scheme, shape, roles, **options)
        return super().draw(scheme, shape, axes, **options)
