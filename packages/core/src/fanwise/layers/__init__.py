"""The axes of the kernels of usual layers, by framework (spec: axes/8).

Each function takes what the layer takes and returns `Axes`: ``layers.torch.conv(2, groups=4)`` for
``torch.nn.Conv2d(..., groups=4)``. Where sizes matter, the functions leave them to the shape.

Examples
--------
>>> from fanwise import fans, layers
>>> fans((128, 16, 3, 3), layers.torch.conv(2, groups=4))
Fans(fan_in=144, fan_out=288)
"""

from . import equinox, flax, haiku, keras, torch

__all__ = ["equinox", "flax", "haiku", "keras", "torch"]
