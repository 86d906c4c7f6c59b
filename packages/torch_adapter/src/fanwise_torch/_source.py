"""Where randomness comes from: PyTorch's own generators, on the tensor's device."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Sequence
from functools import partial

import array_api_compat.torch as xp
import torch

from ._core import (
    DTYPES,
    DtypeError,
    Region,
    SourceError,
    compute_dtype,
    field_of,
    inner_bounds,
    parse_path,
    samplers,
    stream_key,
)

Values = Callable[[torch.Tensor], torch.Tensor]
Shape = tuple[int, ...]

_NATIVE: dict[str, torch.dtype] = {
    name: getattr(torch, name) for name in DTYPES if hasattr(torch, name)
}
_NAMES = {native: name for name, native in _NATIVE.items()}

# Elements drawn at a time. On a CPU: in cache; whole blocks of 16, in which it draws normals.
# Elsewhere: enough to keep the device busy.
_CHUNK = {"cpu": 1 << 20}
_SAMPLER_CHUNK = {"cpu": 1 << 15}
_DEVICE_CHUNK = 1 << 24

# In parent stds: within the first, float32 resolves the error function well; beyond the second is
# less than the 2**-53 that a float64 resolves.
_ERFINV_REACH = 3.0 + 1e-9
_WHOLE_REACH = 8.3


class TorchSource:
    """A source of tensors on one device.

    Parameters
    ----------
    generator : int, torch.Generator or None
        A seed: every stream has then a generator of its own, keyed by seed and path. A generator,
        or with None the device's default one: all streams are drawn from it in turn.
    path : str or sequence of str, default ()
        The parameter's path.
    device : torch.device or str, default "cpu"
        Where tensors are drawn.

    Raises
    ------
    SourceError
        If a generator is of another device.

    Examples
    --------
    >>> plan = resolve(he_normal(), (8, 4), Axes("out in"))
    >>> w = draw(plan, TorchSource(0, "fc.weight"), dtype="float32")
    >>> w.shape, w.dtype
    (torch.Size([8, 4]), torch.float32)
    """

    xp = xp
    indexed = False

    def __init__(
        self,
        generator: int | torch.Generator | None,
        path: str | Sequence[str] = (),
        /,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generator = generator
        self.path = parse_path(path)
        self.device = torch.device(device)
        placed = generator.device if isinstance(generator, torch.Generator) else self.device
        if placed.type != self.device.type:
            raise SourceError(
                f"`generator` must be on the tensor's device {self.device}, got one on {placed}"
            )

    def child(self, name: str, /) -> TorchSource:
        """The source of an independent stream."""
        return TorchSource(self.generator, (*self.path, *parse_path([name])), device=self.device)

    def uniform(
        self,
        region: Region,
        dtype: str,
        /,
        *,
        low: float,
        high: float,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        generator = self._generator("value")
        if field_of(dtype) == "complex":
            modulus = partial(samplers.disc_modulus, xp, bound=high)
            return self._isotropic(region, dtype, generator, modulus, out)
        inner = inner_bounds(low, high, dtype, half_open=True)

        def values(chunk: torch.Tensor) -> torch.Tensor:
            return chunk.uniform_(low, high, generator=generator).clamp_(*inner)

        return self._fill(region, dtype, out, values)

    def normal(
        self,
        region: Region,
        dtype: str,
        /,
        *,
        mean: float,
        std: float,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Normal."""
        generator = self._generator("value")
        if field_of(dtype) == "complex":

            def values(chunk: torch.Tensor) -> torch.Tensor:
                torch.view_as_real(chunk).normal_(0.0, std / math.sqrt(2), generator=generator)
                return chunk.add_(mean)

        else:

            def values(chunk: torch.Tensor) -> torch.Tensor:
                return chunk.normal_(mean, std, generator=generator)

        return self._fill(region, dtype, out, values)

    def truncated_normal(
        self,
        region: Region,
        dtype: str,
        /,
        *,
        parent_mean: float,
        parent_std: float,
        low: float,
        high: float,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        generator = self._generator("value")
        if field_of(dtype) == "complex":
            modulus = partial(samplers.truncated_modulus, xp, parent_std=parent_std, bound=high)
            return self._isotropic(region, dtype, generator, modulus, out)
        inner = inner_bounds(low, high, dtype)
        below, above = (parent_mean - low) / parent_std, (high - parent_mean) / parent_std
        a, b = -below / math.sqrt(2), above / math.sqrt(2)
        whole = min(below, above) >= _WHOLE_REACH
        central = max(below, above) <= _ERFINV_REACH and math.erf(b) - math.erf(a) > 0.5

        def values(chunk: torch.Tensor) -> torch.Tensor:
            if whole:
                chunk.normal_(parent_mean, parent_std, generator=generator)
            elif central:  # the same law as below, in half the time and in place
                chunk.uniform_(math.erf(a), math.erf(b), generator=generator).erfinv_()
                chunk.mul_(parent_std * math.sqrt(2)).add_(parent_mean)
            else:
                u, complement = _uniforms(chunk, generator)
                chunk = samplers.truncated_normal(
                    xp,
                    u,
                    complement,
                    parent_mean=parent_mean,
                    parent_std=parent_std,
                    low=low,
                    high=high,
                )
            return chunk.clamp_(*inner)

        return self._fill(region, dtype, out, values, _CHUNK if whole else _SAMPLER_CHUNK)

    def permutation(self, count: int, size: int, /) -> torch.Tensor:
        """`count` independent permutations of range(`size`)."""
        keys = torch.empty((count, size), dtype=torch.int64, device=self.device)
        return keys.random_(generator=self._generator("permutation")).argsort(dim=1)

    def empty(self, shape: Shape, dtype: str, /) -> torch.Tensor:
        """A tensor to write into."""
        return torch.empty(shape, dtype=native_dtype(dtype), device=self.device)

    def cast(self, tensor: torch.Tensor, dtype: str, /) -> torch.Tensor:
        """The tensor in a storage dtype, rounded to nearest."""
        return tensor.to(native_dtype(dtype))

    def _isotropic(
        self,
        region: Region,
        dtype: str,
        generator: torch.Generator | None,
        modulus: Callable[[torch.Tensor], torch.Tensor],
        out: torch.Tensor | None,
    ) -> torch.Tensor:
        def values(chunk: torch.Tensor) -> torch.Tensor:
            u, _ = _uniforms(chunk.real, generator)
            turn, _ = _uniforms(chunk.real, generator)
            turned: torch.Tensor = samplers.isotropic(xp, modulus(u), turn, chunk.dtype)
            return turned

        return self._fill(region, dtype, out, values, _SAMPLER_CHUNK)

    def _fill(
        self,
        region: Region,
        dtype: str,
        out: torch.Tensor | None,
        values: Values,
        chunks: dict[str, int] = _CHUNK,
    ) -> torch.Tensor:
        """Fill a tensor in row-major order, whatever its strides; in place if possible."""
        if out is None:
            out = self.empty(region.shape, dtype)
        in_place = out.is_contiguous() and not out.is_conj() and not out.is_neg()
        whole = out if in_place else self.empty(region.shape, dtype)
        computing = native_dtype(compute_dtype(dtype))
        for chunk in torch.split(whole.view(-1), chunks.get(self.device.type, _DEVICE_CHUNK)):
            buffer = chunk if chunk.dtype == computing else torch.empty_like(chunk, dtype=computing)
            drawn = values(buffer)
            if drawn is not chunk:
                chunk.copy_(drawn)
        return out if whole is out else out.copy_(whole)

    def _generator(self, purpose: str) -> torch.Generator | None:
        if isinstance(self.generator, int):
            return keyed_generator(stream_key(self.generator, self.path, purpose), self.device)
        return self.generator


def keyed_generator(key: int, device: torch.device, /) -> torch.Generator:
    """A generator whose state is a function of all 64 bits of a key."""
    generator = torch.Generator(device)
    if device.type != "cpu":
        return generator.manual_seed(key)
    # On the CPU, `manual_seed` keeps 32 bits. Python's `random` is the same Mersenne Twister and
    # seeds it with all bits: its state goes into PyTorch's, behind the seed and the position.
    state = generator.manual_seed(key & 0xFFFFFFFF).get_state()
    twister = array("q", random.Random(key).getstate()[1][:-1])
    state.view(torch.int64)[3 : 3 + len(twister)] = torch.frombuffer(twister, dtype=torch.int64)
    generator.set_state(state)
    return generator


def dtype_name(dtype: torch.dtype, /) -> str:
    """The name of a floating-point or complex dtype."""
    if dtype not in _NAMES:
        raise DtypeError(f"`dtype` must be one of {', '.join(_NATIVE)}, got {dtype}")
    return _NAMES[dtype]


def native_dtype(name: str, /) -> torch.dtype:
    """The dtype of a name."""
    if name not in _NATIVE:
        raise DtypeError(f"`dtype` must be one of {', '.join(_NATIVE)}, got {name}")
    return _NATIVE[name]


def _uniforms(
    like: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Uniform numbers above 0 and their complements, each with its full relative precision."""
    bits = 32 if like.dtype == torch.float32 else 62
    words = torch.empty(like.shape, dtype=torch.int64, device=like.device)
    words.random_(0, 1 << bits, generator=generator)
    scale = math.ldexp(1.0, -bits)
    u, complement = (
        w.to(like.dtype).add_(0.5).mul_(scale) for w in (words, (1 << bits) - 1 - words)
    )
    return u, complement
