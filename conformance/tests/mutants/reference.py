"""A backend in plain NumPy that keeps to the specification, made to be broken: each step is a method."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from fanwise_conformance import formats, oracle
from fanwise_conformance.checks.structured import matrices
from scipy import special

ELEMENTWISE = (
    "normal", "uniform", "truncated_normal", "glorot_normal", "glorot_uniform", "he_normal",
    "he_uniform", "lecun_normal", "lecun_uniform", "variance_scaling",
)  # fmt: skip
STRUCTURED = (
    "constant",
    "zeros",
    "ones",
    "orthogonal",
    "delta_orthogonal",
    "identity",
    "dirac",
    "sparse",
)
DTYPES = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "complex64")


class Reference:
    """The backend; a mutant is a subclass, or one with other methods."""

    name = "reference"
    version = "1"
    schemes = (*ELEMENTWISE, *STRUCTURED)
    dtypes: tuple[str, ...] = DTYPES
    transforms: tuple[str, ...] = ("jit",)

    @property
    def features(self) -> dict[str, Any]:
        """What it can do."""
        return {
            "schemes": self.schemes,
            "dtypes": self.dtypes,
            "devices": ("cpu",),
            "transforms": self.transforms,
        }

    # The stream

    def key(self, seed: int, path: str) -> int:
        """The key of a stream."""
        text = f"{seed}\0{path}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")

    def generator(self, seed: int, path: str) -> np.random.Generator:
        """The generator of a stream."""
        return np.random.Generator(np.random.Philox(key=self.key(seed, path)))

    # The laws

    def blocks(self, shape: tuple[int, ...], axes: Any) -> list[oracle.Block]:
        """The blocks of a parameter, with their fans."""
        return oracle.blocks(shape, axes)

    def law(self, scheme: dict[str, Any], block: oracle.Block | None) -> oracle.Law:
        """The law of a block."""
        return oracle.law(scheme, block)

    def uniform(self, g: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Uniform numbers of [0, 1)."""
        return g.random(shape)

    def normal(self, g: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal numbers."""
        return g.standard_normal(shape)

    def truncated(
        self, g: np.random.Generator, shape: tuple[int, ...], a: float, b: float
    ) -> np.ndarray:
        """Standard normal numbers within two bounds."""
        u = self.uniform(g, shape)
        if a > 0:  # from the upper tail
            return -self._between(u, -b, -a)
        return self._between(u, a, b)

    @staticmethod
    def _between(u: np.ndarray, a: float, b: float) -> np.ndarray:
        low, high = special.ndtr(a), special.ndtr(b)
        return np.clip(special.ndtri(low + u * (high - low)), a, b)

    def entries(
        self, law: oracle.Law, g: np.random.Generator, shape: tuple[int, ...]
    ) -> np.ndarray:
        """Independent entries of a law."""
        loc, scale = law.frozen.kwds["loc"], law.frozen.kwds["scale"]
        family = law.frozen.dist.name
        if family == "norm":
            return loc + scale * self.normal(g, shape)
        if family == "uniform":
            return loc + scale * self.uniform(g, shape)
        a, b = law.frozen.args
        return loc + scale * self.truncated(g, shape, a, b)

    def complex_entries(
        self, scheme: dict[str, Any], law: oracle.Law, g: np.random.Generator, shape: Any
    ) -> np.ndarray:
        """Complex entries of a law."""
        u, phase = self.uniform(g, shape), np.exp(2j * np.pi * self.uniform(g, shape))
        if law.frozen.dist.name == "uniform":
            return law.high * np.sqrt(u) * phase
        if law.frozen.dist.name == "truncnorm":
            parent, cut = scheme["parent_std"], law.frozen.args[1]
            return parent * np.sqrt(-np.log1p(u * np.expm1(-(cut**2)))) * phase
        return law.std * np.sqrt(-np.log1p(-u)) * phase

    # Rounding

    def rounded(self, values: np.ndarray, dtype: str, law: oracle.Law | None) -> np.ndarray:
        """The values in a dtype, within the bounds of the law."""
        if dtype == "float64":
            return self.bounded(values, law, np.nextafter)
        if formats.is_complex(dtype):
            return values.astype(np.complex64)
        narrow = self.to_nearest(values, dtype)
        if law is None or not np.isfinite(law.low + law.high):
            return narrow
        if dtype == "float32":
            return self.bounded(
                narrow, law, lambda x, to: np.nextafter(np.float32(x), np.float32(to))
            )
        return np.clip(
            narrow, *formats.inner_bounds(law.low, law.high, dtype, half_open=law.half_open)
        )

    @staticmethod
    def bounded(values: np.ndarray, law: oracle.Law | None, after: Any) -> np.ndarray:
        """The values, clipped to the numbers within the bounds."""
        if law is None or not np.isfinite(law.low + law.high):
            return values
        kind = values.dtype.type
        low, high = kind(law.low), kind(law.high)
        low = after(low, np.inf) if low < law.low else low
        high = after(high, -np.inf) if high > law.high or law.half_open else high
        return np.clip(values, low, high)

    @staticmethod
    def to_nearest(values: np.ndarray, dtype: str) -> np.ndarray:
        """The nearest numbers of a dtype."""
        if dtype == "float32":
            return values.astype(np.float32)
        listed = formats.numbers(dtype)
        middles = (listed[1:] + listed[:-1]) / 2
        return listed[np.searchsorted(middles, values.astype(np.float32))]

    # Structured laws

    def orthogonal(
        self, g: np.random.Generator, rows: int, columns: int, *, is_complex: bool
    ) -> np.ndarray:
        """A Haar-random matrix of orthonormal rows or columns."""
        tall = (max(rows, columns), min(rows, columns))
        gaussian = self.normal(g, tall)
        if is_complex:
            gaussian = gaussian + 1j * self.normal(g, tall)
        q, r = np.linalg.qr(gaussian)
        q = self.fix(q, np.diag(r))
        return q if rows >= columns else q.T

    def fix(self, q: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
        """The factor that makes the decomposition unique."""
        return q * (diagonal / np.abs(diagonal))

    def structured(
        self,
        scheme: dict[str, Any],
        view: np.ndarray,
        g: np.random.Generator,
        taps: tuple[int, ...],
    ) -> None:
        """Fill the matrices of a block: copies, rows and columns (inputs times taps)."""
        name = scheme["name"]
        _, rows, columns = view.shape
        for matrix in view:
            if name == "orthogonal":
                gain = scheme.get("gain", 1.0)
                matrix[...] = gain * self.orthogonal(
                    g, rows, columns, is_complex=np.iscomplexobj(view)
                )
            elif name == "identity":
                matrix[...] = scheme.get("gain", 1.0) * np.eye(rows, columns)
            elif name == "sparse":
                matrix[...] = self.normal(g, matrix.shape) * scheme["std"]
                self.put_zeros(matrix, scheme["sparsity"], g)
            else:
                inputs = columns // math.prod(taps)
                matrix[...] = 0
                center = self.center(taps)
                where = np.arange(inputs) * math.prod(taps) + center
                if name == "dirac":
                    matrix[:, where] = np.eye(rows, inputs)
                else:
                    matrix[:, where] = self.orthogonal(g, rows, inputs, is_complex=False)

    def center(self, taps: tuple[int, ...]) -> int:
        """The number of the central position."""
        return int(np.ravel_multi_index([(n - 1) // 2 for n in taps], taps))

    def put_zeros(self, matrix: np.ndarray, sparsity: float, g: np.random.Generator) -> None:
        """Set an exact number of each row to zero."""
        count = math.ceil(round(sparsity * matrix.shape[1], 9))
        for row in matrix:
            row[g.permutation(len(row))[:count]] = 0

    # The protocol

    def check(self, scheme: Any, shape: Any, axes: Any, seed: int, dtype: str) -> None:
        """Raise for what is wrong."""
        for key, value in scheme.items():
            if isinstance(value, float) and not math.isfinite(value) and key not in ("low", "high"):
                raise ValueError(f"`{key}` must be finite, got {value}")
            if key in ("std", "gain", "parent_std") and value <= 0:
                raise ValueError(f"`{key}` must be positive, got {value}")
        if scheme["name"] not in self.schemes:
            raise ValueError(f"`name` must be one of {self.schemes}, got {scheme['name']!r}")
        if scheme.get("low", -1) >= scheme.get("high", 5):
            raise ValueError(f"`low` must be below `high`, got {scheme}")
        if scheme.get("fan", "in") not in ("in", "out", "avg", "geometric", "max", "min"):
            raise ValueError(f"`fan` must be known, got {scheme['fan']!r}")
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"`seed` must have 64 bits, got {seed}")
        if any(n < 0 for n in shape):
            raise ValueError(f"`shape` must not be negative, got {shape}")
        if dtype not in (*self.dtypes, "complex128"):
            raise TypeError(f"`dtype` must be one of {self.dtypes}, got {dtype}")
        scaled = scheme["name"] not in ("normal", "uniform", "truncated_normal", *STRUCTURED[:3])
        if axes is None:
            if scaled:
                raise ValueError(f"`axes` must be given for {scheme['name']}, got None")
            return
        roles = oracle.Roles.read(axes)
        if set(roles.roles) - {"in", "out", "kernel", "stack"}:
            raise ValueError(f"`roles` must be known, got {roles.roles}")
        if len(roles.roles) != len(shape):
            raise ValueError(
                f"`axes` must have a role for each axis, got {roles.roles} for {shape}"
            )
        grouped = math.prod(
            n for n, r in zip(shape, roles.roles, strict=True)
            if r == ("in" if roles.transposed else "out")
        )  # fmt: skip
        if grouped % roles.groups:
            raise ValueError(f"`groups` must divide {grouped}, got {roles.groups}")
        for role, sizes in roles.blocks.items():
            whole = shape[roles.roles.index(role)]
            total = whole if isinstance(sizes, int) and whole % sizes == 0 else np.sum(sizes)
            if total != whole:
                raise ValueError(f"`blocks` must add up to {whole}, got {sizes}")
        if scaled and scheme["name"] not in STRUCTURED:
            for block in oracle.blocks(shape, axes):
                if block.fan_in is None:
                    raise ValueError(f"`axes` must have inputs, got {axes}")
                if not block.fan_in or not block.fan_out:
                    raise ValueError(f"`fan` must be positive, got {block}")
        if scheme["name"] == "identity" and "kernel" in roles.roles:
            raise ValueError(f"`axes` must have no kernel, got {axes}")
        if scheme["name"] == "delta_orthogonal":
            counts = dict(zip(roles.roles, shape, strict=True))
            if counts["in"] > counts["out"]:
                raise ValueError(f"`axes` must have outputs enough, got {counts}")
        if scheme["name"] == "sparse" and scheme["sparsity"] >= 1:
            raise ValueError(f"`sparsity` must leave weights, got {scheme['sparsity']}")

    def check_dtype(self, law: oracle.Law, dtype: str) -> None:
        """Raise if the dtype cannot hold the law."""
        if formats.is_complex(dtype):
            return
        form = formats.FORMATS[dtype]
        smallest = 2.0 ** (form.min_exponent - form.precision + 1)
        reach = min(max(abs(law.low), abs(law.high)), abs(law.mean) + 8 * law.std)
        if reach > form.largest or law.std < smallest / 2:
            raise ValueError(f"`dtype` must hold the law, got {dtype} for a std of {law.std}")

    def draw(
        self, scheme: Any, shape: Any, axes: Any, *, seed: int, path: str, dtype: str, device: str,
        transform: str | None,
    ) -> np.ndarray:  # fmt: skip
        """Draw one parameter."""
        self.check(scheme, shape, axes, seed, dtype)
        is_complex = formats.is_complex(dtype)
        out = np.zeros(shape, dtype=np.complex128 if is_complex else np.float64)
        constant = {"zeros": 0.0, "ones": 1.0}.get(scheme["name"], scheme.get("value"))
        if constant is not None:
            return out + constant
        whole = oracle.Block(tuple(slice(None) for _ in shape), None, None)
        blocks = [whole] if axes is None else self.blocks(shape, axes)
        for number, block in enumerate(blocks):
            stream = self.child(path, number) if len(blocks) > 1 else path
            g = self.generator(seed, stream)
            part = out[block.index]
            if scheme["name"] in ELEMENTWISE:
                law = self.law(scheme, block)
                self.check_dtype(law, dtype)
                if is_complex:
                    values = self.complex_entries(scheme, law, g, part.shape)
                else:
                    values = self.entries(law, g, part.shape)
                out[block.index] = self.rounded(values, dtype, law)
            else:
                self.fill(scheme, part, axes, g)
                out[block.index] = self.rounded(part, dtype, None)
        return out

    def child(self, path: str, number: int) -> str:
        """The path of a block."""
        return f"{path}.{number}"

    def fill(self, scheme: Any, part: np.ndarray, axes: Any, g: np.random.Generator) -> None:
        """Fill a block of a structured scheme, through its matrices."""
        roles = oracle.Roles.read(axes).roles
        taps = tuple(n for n, role in zip(part.shape, roles, strict=True) if role == "kernel") or (
            1,
        )
        places = matrices(np.arange(part.size).reshape(part.shape), axes)
        view = np.zeros(places.shape, dtype=part.dtype)
        self.structured(scheme, view, g, taps)
        part.reshape(-1)[places.ravel()] = view.ravel() if part.flags.c_contiguous else 0
        if not part.flags.c_contiguous:
            copy = np.zeros(part.size, dtype=part.dtype)
            copy[places.ravel()] = view.ravel()
            part[...] = copy.reshape(part.shape)

    def fingerprint(self) -> bytes:
        """NumPy's global random state."""
        return repr(np.random.get_state()).encode()  # it is the global one

    def disturb(self) -> None:
        """Advance it."""
        np.random.random(3)  # it is the global one

    def resolve(self, scheme: Any, shape: Any, axes: Any) -> dict[str, Any]:
        """Fans and laws."""
        blocks = self.blocks(shape, axes)
        return {"fans": [[str(b.fan_in), str(b.fan_out)] for b in blocks],
                "laws": [self.numbers(scheme, b, shape) for b in blocks]}  # fmt: skip

    def numbers(self, scheme: Any, block: oracle.Block, shape: Any) -> dict[str, Any]:
        """The numbers of a law."""
        name = scheme["name"]
        if name in ("constant", "zeros", "ones"):
            value = {"zeros": 0.0, "ones": 1.0}.get(name, scheme.get("value"))
            return {"mean": value, "std": 0.0}
        if name == "orthogonal":
            return {"mean": 0.0, "std": scheme.get("gain", 1.0) / math.sqrt(max(shape))}
        if name == "sparse":
            n = float(block.fan_in)
            kept = n - math.ceil(round(scheme["sparsity"] * n, 9))
            return {"mean": 0.0, "std": scheme["std"] * math.sqrt(kept / n)}
        options = {k: float(v) if v in ("inf", "-inf") else v for k, v in scheme.items()}
        law = self.law(options, block)
        return {"mean": law.mean, "std": law.std, "low": law.low, "high": law.high}

    def serialize(self, scheme: Any) -> Any:
        """A scheme's data."""
        return dict(scheme)
