"""The models of timm: one of each family at least."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .case import Case

COUNT = 500


def cases() -> Iterator[Case]:
    """Some five hundred, evenly over the families, the first of each among them."""
    from .torchvision_models import import_torchvision

    import_torchvision()
    import timm

    families = [timm.list_models(module=module) for module in timm.list_modules()]
    families = [names for names in families if names]
    share = COUNT / sum(map(len, families))
    names: set[str] = set()
    for family in families:
        count = max(1, round(share * len(family)))
        names |= {family[i * len(family) // count] for i in range(count)}
    for name in sorted(names):
        yield Case(name, lambda name=name: timm.create_model(name).eval(), example)  # type: ignore[misc]


def example(model: Any) -> Any:
    """Images as the model's configuration says."""
    return torch.zeros(2, *(model.default_cfg.get("input_size") or (3, 224, 224)))
