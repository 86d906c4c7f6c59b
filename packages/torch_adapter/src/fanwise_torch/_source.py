"""Where randomness comes from: generators of PyTorch, on the device of the tensor."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import array_api_compat.torch as xp
import torch

from ._core import (
    DTYPES,
    Box,
    DtypeError,
    SampledSource,
    SourceError,
    compute_dtype,
    field_of,
    inner_bounds,
    parse_path,
)
from ._private import keyed_generator

Values = Callable[..., torch.Tensor]
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


class TorchSource(SampledSource):
    """A source of tensors on one device.

    Parameters
    ----------
    seed : int, torch.Generator or None
        A seed: every stream has then a generator of its own, keyed by seed and path. A generator,
        or with None the default one of the device: all streams are drawn from it in turn.
    path : str or sequence of str, default ()
        The path of the parameter.
    device : torch.device or str, default "cpu"
        Where tensors are drawn.

    Raises
    ------
    SourceError
        If the seed is not an integer of 64 bits, or a generator is on another device.

    Examples
    --------
    >>> from fanwise import Axes, he_normal, resolve
    >>> from fanwise.adapting import draw
    >>> from fanwise_torch import TorchSource
    >>> plan = resolve(he_normal(), (8, 4), Axes("out in"))
    >>> w = draw(plan, TorchSource(0, "fc.weight"), dtype="float32")
    >>> w.shape, w.dtype
    (torch.Size([8, 4]), torch.float32)
    """

    xp = xp
    mutable = True

    _target: torch.Tensor | None = None  # where a primitive writes
    _place: torch.Tensor  # where the chunk that is being drawn goes
    _open: dict[str, torch.Generator] | None = None  # that go on from chunk to chunk

    def __init__(
        self,
        seed: int | torch.Generator | None,
        path: str | Sequence[str] = (),
        /,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self._keyed = isinstance(seed, int)
        self._rng = None if isinstance(seed, int) else seed
        super().__init__(seed if isinstance(seed, int) else 0, path)
        if self._rng is not None and self._rng.device.type != self.device.type:
            raise SourceError(
                f"`rng` must be on the device of the tensor, {self.device}, "
                f"got one on {self._rng.device}"
            )

    def child(self, name: str, /) -> Self:
        """The source of an independent stream."""
        seed = self.seed if self._keyed else self._rng
        return type(self)(seed, (*self.path, *parse_path([name])), device=self.device)

    def into(self, tensor: torch.Tensor, /) -> Self:
        """The same stream, whose primitives write into `tensor` and return it."""
        found = copy.copy(self)
        found._target = tensor
        return found

    def empty(self, shape: Shape, dtype: str, /) -> torch.Tensor:
        """A tensor to write into."""
        return torch.empty(shape, dtype=native_dtype(dtype), device=self.device)

    def native_dtype(self, dtype: str, /) -> torch.dtype:
        """The dtype of a name."""
        return native_dtype(dtype)

    def cast(self, tensor: torch.Tensor, dtype: str, /) -> torch.Tensor:
        """The tensor in a storage dtype, rounded to nearest."""
        return tensor.to(native_dtype(dtype))

    def words(self, box: Box, bits: int, purpose: str, /) -> torch.Tensor:
        """Random integers of 32 bits, or of 53 where 64 are asked for: int64 has a sign."""
        words = torch.empty(box.shape, dtype=torch.int64, device=self.device)
        return words.random_(0, 1 << min(bits, 53), generator=self._generator(purpose))

    def uniform(self, box: Box, dtype: str, /, *, low: float, high: float) -> torch.Tensor:
        """Uniform on [`low`, `high`); on the disc of radius `high` for a complex dtype."""
        if field_of(dtype) == "complex":
            disc: torch.Tensor = super().uniform(box, dtype, low=low, high=high)
            return disc
        least, most = inner_bounds(low, high, dtype, half_open=True)
        return self.fill(_uniform, box, dtype, low=low, high=high, least=least, most=most)

    def normal(self, box: Box, dtype: str, /, *, mean: float, std: float) -> torch.Tensor:
        """Normal."""
        return self.fill(_normal, box, dtype, mean=mean, std=std)

    def truncated_normal(
        self,
        box: Box,
        dtype: str,
        /,
        *,
        parent_mean: float,
        parent_std: float,
        low: float,
        high: float,
    ) -> torch.Tensor:
        """Normal, given that it is within the absolute bounds; for a complex dtype, in modulus."""
        below, above = (parent_mean - low) / parent_std, (high - parent_mean) / parent_std
        a, b = math.erf(-below / math.sqrt(2)), math.erf(above / math.sqrt(2))
        whole = min(below, above) >= _WHOLE_REACH
        central = max(below, above) <= _ERFINV_REACH and b - a > 0.5
        if field_of(dtype) == "complex" or not (whole or central):
            drawn: torch.Tensor = super().truncated_normal(
                box, dtype, parent_mean=parent_mean, parent_std=parent_std, low=low, high=high
            )
            return drawn
        least, most = inner_bounds(low, high, dtype)
        ends = {"mean": parent_mean, "std": parent_std, "least": least, "most": most}
        if whole:
            return self.fill(_clipped_normal, box, dtype, **ends)
        return self.fill(_central, box, dtype, a=a, b=b, **ends)

    def subsets(self, count: int, size: int, chosen: int, /) -> torch.Tensor:
        """Independent random subsets of ``range(size)``, of exactly `chosen` numbers each."""
        words = self.words(Box.all_of((count, size)), 64, "subset")
        if chosen == 0:
            return torch.zeros((count, size), dtype=torch.bool, device=self.device)
        # Each word ends in its own index: none are equal, so that the count is exact.
        bits = (size - 1).bit_length()
        words = words.bitwise_left_shift_(bits).add_(torch.arange(size, device=self.device))
        return words <= words.kthvalue(chosen, dim=1, keepdim=True).values

    def fill(
        self,
        values: Values,
        box: Box,
        dtype: str,
        form: tuple[float, ...] = (),
        /,
        **scales: float,
    ) -> torch.Tensor:
        """Fill a tensor in row-major order, whatever its strides; in place if possible."""
        out = self.empty(box.shape, dtype) if self._target is None else self._target
        in_place = out.is_contiguous() and not out.is_conj() and not out.is_neg()
        whole = out if in_place else self.empty(box.shape, dtype)
        number = compute_dtype(dtype)
        computing = native_dtype(number)
        stream = copy.copy(self)
        stream._open = {}
        chunks = _SAMPLER_CHUNK if values not in (_uniform, _normal, _clipped_normal) else _CHUNK
        for chunk in torch.split(whole.view(-1), chunks.get(self.device.type, _DEVICE_CHUNK)):
            place = chunk if chunk.dtype == computing else torch.empty_like(chunk, dtype=computing)
            stream._place = place
            drawn = values(stream, Box.all_of(tuple(chunk.shape)), number, *form, **scales)
            if drawn is not chunk:
                chunk.copy_(drawn)
        return out if whole is out else out.copy_(whole)

    def _generator(self, purpose: str) -> torch.Generator | None:
        if not self._keyed:
            return self._rng
        opened = {} if self._open is None else self._open
        if purpose not in opened:
            opened[purpose] = keyed_generator(self.stream_key(purpose), self.device)
        return opened[purpose]


def _uniform(
    source: TorchSource,
    box: Box,
    number: str,
    *,
    low: float,
    high: float,
    least: float,
    most: float,
) -> torch.Tensor:
    drawn = source._place.uniform_(low, high, generator=source._generator("value"))
    return drawn.clamp_(least, most)


def _normal(source: TorchSource, box: Box, number: str, *, mean: float, std: float) -> torch.Tensor:
    place, generator = source._place, source._generator("value")
    if not place.is_complex():
        return place.normal_(mean, std, generator=generator)
    torch.view_as_real(place).normal_(0.0, std / math.sqrt(2), generator=generator)
    return place.add_(mean)


def _clipped_normal(
    source: TorchSource, box: Box, number: str, *, least: float, most: float, **law: float
) -> torch.Tensor:
    return _normal(source, box, number, **law).clamp_(least, most)


def _central(
    source: TorchSource,
    box: Box,
    number: str,
    *,
    a: float,
    b: float,
    mean: float,
    std: float,
    least: float,
    most: float,
) -> torch.Tensor:
    """The inverse CDF where the error function resolves it: in half the time, and in place."""
    drawn = source._place.uniform_(a, b, generator=source._generator("value")).erfinv_()
    return drawn.mul_(std * math.sqrt(2)).add_(mean).clamp_(least, most)


def dtype_name(dtype: Any, /) -> str:
    """The name of a floating-point or complex dtype."""
    if dtype not in _NAMES:
        raise DtypeError(f"`dtype` must be one of {', '.join(_NATIVE)}, got {dtype}")
    return _NAMES[dtype]


def native_dtype(name: str, /) -> torch.dtype:
    """The dtype of a name."""
    if name not in _NATIVE:
        raise DtypeError(f"`dtype` must be one of {', '.join(_NATIVE)}, got {name}")
    return _NATIVE[name]
