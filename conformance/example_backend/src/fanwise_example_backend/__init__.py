"""A backend of one's own, in forty lines: it needs nothing of fanwise, nor of the suite."""

import hashlib
import math

import numpy as np

# It has no kernels but matrices: the checks that ask for others are left out.
ABSENT = """convolution, grouped convolution, depthwise convolution, transposed convolution,
embedding, fused projections, uneven projections, gates, experts"""
FEATURES = {
    "schemes": ("normal", "uniform", "he_normal"),
    "dtypes": ("float32",),
    "devices": ("cpu",),
    "kernels": dict.fromkeys(ABSENT.replace("\n", " ").split(", ")),
}


class ExampleBackend:
    """Normal and uniform laws of given numbers, and He's, for matrices."""

    name, version, features = "example", "1.0", FEATURES

    def draw(self, scheme, shape, axes, *, seed, path, dtype, device, transform):
        """Draw one parameter."""
        if scheme["name"] not in self.features["schemes"]:
            raise ValueError(f"`name` must be one it has, got {scheme['name']!r}")
        options = {key: value for key, value in scheme.items() if key != "name"}
        if scheme["name"] == "he_normal":
            if axes not in ("out in", "in out") or options:
                raise NotImplementedError("only He's law of fan_in, of a matrix")
            inputs = shape[axes.split().index("in")]
            if inputs == 0:
                raise ValueError(f"`fan` must be positive, got {inputs}")
            options["std"] = math.sqrt(2 / inputs)
        for key, value in options.items():
            if not math.isfinite(value) or (key in ("std", "bound") and value <= 0):
                raise ValueError(f"`{key}` must be finite and positive, got {value}")
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"`seed` must have 64 bits, got {seed}")
        if dtype != "float32" or min(shape, default=0) < 0:
            name = "shape" if dtype == "float32" else "dtype"
            raise TypeError(f"`{name}` must be one that it has, got {shape} and {dtype}")
        key = hashlib.blake2b(f"{seed}/{path}".encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
        if "std" in options:
            return (
                options.get("mean", 0.0) + options["std"] * generator.standard_normal(shape)
            ).astype("float32")
        bound = options.get("bound", 0.0)
        low, high = options.get("low", -bound), options.get("high", bound)
        if low >= high:
            raise ValueError(f"`low` must be below `high`, got {low} and {high}")
        values = (low + (high - low) * generator.random(shape)).astype("float32")
        return np.minimum(values, np.nextafter(np.float32(high), np.float32(-np.inf)))


backend = ExampleBackend()
