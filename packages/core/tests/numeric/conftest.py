"""The array libraries to test with, and two sources that draw for any of them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
from dataclasses import dataclass

import numpy as np
import pytest

from fanwise.adapting import SampledSource, parse_path

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


class ArraySource(SampledSource):
    """A source for any namespace: NumPy's bits, and everything else in `xp`."""

    def __init__(self, namespace, seed, path=()):
        super().__init__(seed, path)
        self.namespace, self.xp, self.device = namespace, namespace.xp, namespace.device

    def child(self, name):
        return ArraySource(self.namespace, self.seed, (*self.path, *parse_path([name])))

    def generator(self, purpose):
        return np.random.Generator(np.random.PCG64(self.stream_key(purpose)))

    def uniforms(self, box, number, purpose):
        # Not from `words`: some of the environments have no integers of 64 bits.
        words = self.generator(purpose).integers(0, 1 << 32, size=box.shape, dtype=np.uint32)
        return tuple(
            self.xp.asarray(((w + 0.5) * 2.0**-32).astype(number), device=self.device)
            for w in (words, ~words)
        )

    def subsets(self, count, size, chosen):
        order = np.argsort(self.generator("subset").random((count, size)), axis=-1)
        return self.xp.asarray(np.argsort(order, axis=-1) < chosen, device=self.device)


class UnitSource(SampledSource):
    """A source for a host that has nothing but a generator of uniform numbers in float32."""

    xp = np

    def unit(self, box, purpose):
        generator = np.random.Generator(np.random.PCG64(self.stream_key(purpose)))
        return generator.random(box.shape, np.float32)


class IndexedSource(SampledSource):
    """A source that computes every element from its logical index, as the portable stream will.

    NumPy only, and not fast: one hash of (key, index) an element.
    """

    xp = np
    indexed = True

    def words(self, box, bits, purpose):
        canonical = [box.whole[axis] for axis in box.order]
        weights = [math.prod(canonical[i + 1 :]) for i in range(len(canonical))]
        index = np.zeros(box.shape, np.uint64)
        for axis, weight in zip(box.order, weights, strict=True):
            positions = box.start[axis] + np.arange(box.shape[axis], dtype=np.uint64)
            shape = [-1 if i == axis else 1 for i in range(len(box.shape))]
            index = index + np.reshape(positions * np.uint64(weight), shape)
        word = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(self.stream_key(purpose))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64
            word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
        word ^= word >> np.uint64(31)
        return word if bits == 64 else (word >> np.uint64(32)).astype(np.uint32)


@pytest.fixture
def source(namespace):
    """Make a source of the namespace's arrays."""
    return lambda seed, path=(): ArraySource(namespace, seed, path)


@pytest.fixture
def indexed():
    """Make an index-addressed source."""
    return IndexedSource


@pytest.fixture
def unit():
    """Make a source of a host that has nothing but uniform numbers."""
    return UnitSource
