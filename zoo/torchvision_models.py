"""The models of torchvision but for detection, whose course its compiled operators compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .case import Case

_LIBRARY: list[torch.library.Library] = []  # as long as the process lives


def import_torchvision() -> Any:
    """Import torchvision, also one that was compiled for another PyTorch.

    Such a one lacks its operators, which no model here needs, and does not load without them.
    None if there is no torchvision: other libraries do without.
    """
    try:
        import torchvision
    except ImportError:
        return None
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _LIBRARY.append(library)
        import torchvision
    return torchvision


def cases() -> Iterator[Case]:
    """All but detection and quantized models."""
    models = import_torchvision().models
    for module, example in (
        (models, torch.zeros(2, 3, 224, 224)),
        (models.segmentation, torch.zeros(2, 3, 224, 224)),
        (models.video, torch.zeros(1, 3, 16, 112, 112)),
        (models.optical_flow, (torch.zeros(1, 3, 128, 128),) * 2),
    ):
        for name in models.list_models(module=module):
            yield Case(name, lambda name=name: _build(models, name), lambda _, e=example: e, _refit)  # type: ignore[misc]


def _build(models: Any, name: str) -> Any:
    given = {"weights_backbone": None} if name in models.list_models(models.segmentation) else {}
    return models.get_model(name, **given).eval()


def _refit(model: Any, example: Any, message: str) -> Any:
    if isinstance(example, torch.Tensor) and example.dim() == 4 and example.shape[-1] == 224:
        return example.new_zeros((2, 3, 299, 299))
    if isinstance(example, torch.Tensor) and example.dim() == 5 and example.shape[-1] == 112:
        return example.new_zeros((1, 3, 16, 224, 224))
    return None
