"""The array libraries to test with, and two sources that draw for any of them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
from dataclasses import dataclass

import numpy as np
import pytest

from fanwise import compute_dtype, field_of, inner_bounds, parse_path, stream_key
from fanwise.samplers import disc_modulus, isotropic, truncated_modulus, truncated_normal

LIBRARIES = ("numpy", "array_api_strict", "torch", "jax")


def pytest_addoption(parser):
    parser.addoption("--arrays", default=",".join(LIBRARIES), help="array libraries to test with")


@dataclass
class Namespace:
    """One environment of one library: the namespace, a device, and how to enter it."""

    name: str
    xp: object
    device: object
    enter: object = contextlib.nullcontext
    float64: bool = True

    def to_numpy(self, array):
        """The array as NumPy's."""
        if self.name.startswith("array_api_strict"):
            array = array.to_device(self.xp.Device("CPU_DEVICE"))
        return np.asarray(array)


def environments(library):
    """All environments to test a library in; a library that is missing is a failure."""
    if library == "numpy":
        return [Namespace("numpy", np, "cpu")]
    if library == "torch":
        return [Namespace("torch", importlib.import_module("array_api_compat.torch"), "cpu")]
    if library == "jax":
        jax = importlib.import_module("jax")
        return [
            Namespace(
                "jax", importlib.import_module("jax.numpy"), jax.devices("cpu")[0], float64=False
            )
        ]
    xp = importlib.import_module("array_api_strict")
    strictest = functools.partial(
        xp.ArrayAPIStrictFlags,
        boolean_indexing=False,
        data_dependent_shapes=False,
        enabled_extensions=("linalg",),
    )
    versions = [
        Namespace(f"array_api_strict-{version}", xp, xp.Device("CPU_DEVICE"),
                  lambda version=version: xp.ArrayAPIStrictFlags(api_version=version))
        for version in ("2023.12", "2024.12", "2025.12")
    ]  # fmt: skip
    return [
        *versions,
        Namespace("array_api_strict-strictest", xp, xp.Device("CPU_DEVICE"), strictest),
        Namespace("array_api_strict-no_float64", xp, xp.Device("no_float64"), float64=False),
        Namespace("array_api_strict-no_x64", xp, xp.Device("no_x64"), float64=False),
    ]


def pytest_generate_tests(metafunc):
    if "namespace" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--arrays").split(",")
        found = [space for library in wanted for space in environments(library)]
        metafunc.parametrize("namespace", found, ids=lambda space: space.name, indirect=True)


@pytest.fixture
def namespace(request):
    with request.param.enter():
        yield request.param


class ArraySource:
    """A source for any namespace: NumPy's bits, and everything else in `xp`."""

    indexed = False

    def __init__(self, namespace, seed, path=()):
        self.namespace, self.seed, self.path = namespace, seed, tuple(path)
        self.xp, self.device = namespace.xp, namespace.device

    def child(self, name):
        return ArraySource(self.namespace, self.seed, (*self.path, *parse_path([name])))

    def bits(self, purpose):
        return np.random.Generator(np.random.PCG64(stream_key(self.seed, self.path, purpose)))

    def array(self, values, dtype):
        return self.xp.asarray(values.astype(dtype), device=self.device)

    def uniforms(self, shape, dtype):
        words = self.bits("value").integers(0, 1 << 32, size=(2, *shape), dtype=np.uint32)
        real = "float64" if dtype in ("float64", "complex128") else "float32"
        u, turn = (self.array((w + 0.5) * 2.0**-32, real) for w in words)
        return u, self.array((~words[0] + 0.5) * 2.0**-32, real), turn

    def uniform(self, region, dtype, *, low, high, out=None):
        u, _, turn = self.uniforms(region.shape, dtype)
        if field_of(dtype) == "complex":
            modulus = disc_modulus(self.xp, u, bound=high)
            return isotropic(self.xp, modulus, turn, getattr(self.xp, dtype))
        return self.cast(
            self.clip(low + (high - low) * u, inner_bounds(low, high, dtype, half_open=True)), dtype
        )

    def normal(self, region, dtype, *, mean, std, out=None):
        generator = self.bits("value")
        values = generator.standard_normal(region.shape)
        if field_of(dtype) == "complex":
            values = (values + 1j * generator.standard_normal(region.shape)) / math.sqrt(2)
        return self.cast(self.array(mean + std * values, compute_dtype(dtype)), dtype)

    def truncated_normal(self, region, dtype, *, parent_mean, parent_std, low, high, out=None):
        u, complement, turn = self.uniforms(region.shape, dtype)
        if field_of(dtype) == "complex":
            modulus = truncated_modulus(self.xp, u, parent_std=parent_std, bound=high)
            return isotropic(self.xp, modulus, turn, getattr(self.xp, dtype))
        values = truncated_normal(
            self.xp,
            u,
            complement,
            parent_mean=parent_mean,
            parent_std=parent_std,
            low=low,
            high=high,
        )
        return self.cast(self.clip(values, inner_bounds(low, high, dtype)), dtype)

    def permutation(self, count, size):
        order = np.argsort(self.bits("permutation").random((count, size)), axis=-1)
        return self.array(order, "int32")

    def clip(self, array, bounds):
        low, high = (max(min(bound, 3e38), -3e38) for bound in bounds)
        return self.xp.clip(array, low, high)

    def cast(self, array, dtype):
        return self.xp.astype(array, getattr(self.xp, dtype))


class IndexedSource:
    """A source that computes every element from its logical index, as the portable stream will.

    NumPy only, and not fast: one hash of (key, index) an element.
    """

    xp = np
    device = "cpu"
    indexed = True

    def __init__(self, seed, path=()):
        self.seed, self.path = seed, tuple(path)

    def child(self, name):
        return IndexedSource(self.seed, (*self.path, name))

    def uniforms(self, region):
        canonical = [region.whole[axis] for axis in region.order]
        weights = [math.prod(canonical[i + 1 :]) for i in range(len(canonical))]
        index = np.zeros(region.shape, np.uint64)
        for axis, weight in zip(region.order, weights, strict=True):
            positions = region.start[axis] + np.arange(region.shape[axis], dtype=np.uint64)
            shape = [-1 if i == axis else 1 for i in range(len(region.shape))]
            index = index + np.reshape(positions * np.uint64(weight), shape)
        word = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(stream_key(self.seed, self.path))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64
            word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
        word ^= word >> np.uint64(31)
        return ((word >> np.uint64(12)) + 0.5) * 2.0**-52

    def uniform(self, region, dtype, *, low, high, out=None):
        return (low + (high - low) * self.uniforms(region)).astype(dtype)

    def normal(self, region, dtype, *, mean, std, out=None):
        return self.truncated_normal(
            region, dtype, parent_mean=mean, parent_std=std, low=-math.inf, high=math.inf
        )

    def truncated_normal(self, region, dtype, *, parent_mean, parent_std, low, high, out=None):
        u = self.uniforms(region)
        return truncated_normal(
            np, u, 1 - u, parent_mean=parent_mean, parent_std=parent_std, low=low, high=high
        ).astype(dtype)

    def permutation(self, count, size):
        generator = np.random.default_rng(stream_key(self.seed, self.path, "permutation"))
        return np.argsort(generator.random((count, size)), axis=-1)

    def cast(self, array, dtype):
        return array.astype(dtype)


@pytest.fixture
def source(namespace):
    """Make a source of the namespace's arrays."""
    return lambda seed, path=(): ArraySource(namespace, seed, path)


@pytest.fixture
def indexed():
    """Make an index-addressed source."""
    return IndexedSource
