"""The models of keras.applications, and backbones of keras-hub with few layers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from .case import Case


def cases() -> Iterator[Case]:
    """Every constructor of keras.applications, then keras-hub."""
    for name, build in sorted(inspect.getmembers(keras.applications, inspect.isfunction)):
        yield Case(f"applications.{name}", lambda build=build: build(weights=None), _images)  # type: ignore[misc]
    try:
        import keras_hub
    except ImportError:
        return
    for name, given in _BACKBONES.items():
        backbone = getattr(keras_hub.models, f"{name}Backbone")
        yield Case(
            f"hub.{name}",
            lambda backbone=backbone, given=given: backbone(**given),  # type: ignore[misc]
            _inputs,
        )


def _images(model: Any) -> Any:
    return np.zeros((1, *(size or 224 for size in model.input_shape[1:])), "float32")


def _inputs(model: Any) -> Any:
    """Zeros of the shapes that a functional model says it takes; of tokens, eight."""
    given = model.input
    if not isinstance(given, dict):
        return np.zeros((1, *(size or 64 for size in given.shape[1:])), "float32")
    inputs = {
        name: np.zeros(
            (1, *(size or 8 for size in one.shape[1:])), keras.backend.standardize_dtype(one.dtype)
        )
        for name, one in given.items()
    }
    return (inputs,)


_SIZES = {"vocabulary_size": 50, "num_layers": 2, "num_heads": 4, "hidden_dim": 32,
          "intermediate_dim": 64}  # fmt: skip
_GROUPED = {"vocabulary_size": 50, "num_layers": 2, "num_query_heads": 4, "num_key_value_heads": 2,
            "hidden_dim": 32, "intermediate_dim": 64}  # fmt: skip
_BACKBONES: dict[str, dict[str, Any]] = {
    "Albert": _SIZES | {"embedding_dim": 16},
    "Bart": _SIZES,
    "Bert": _SIZES,
    "Bloom": _SIZES,
    "DebertaV3": _SIZES,
    "DistilBert": _SIZES,
    "Electra": {"vocab_size": 50, "num_layers": 2, "num_heads": 4, "hidden_dim": 32,
                "embedding_dim": 16, "intermediate_dim": 64},
    "FNet": {k: v for k, v in _SIZES.items() if k != "num_heads"},
    "Falcon": {"vocabulary_size": 50, "num_layers": 2, "num_attention_heads": 4, "hidden_dim": 32,
               "intermediate_dim": 64},
    "GPT2": _SIZES,
    "GPTNeoX": _SIZES,
    "Gemma": _GROUPED | {"head_dim": 8},
    "Llama": _GROUPED,
    "Llama3": _GROUPED,
    "Mistral": _GROUPED,
    "Mixtral": _GROUPED | {"num_experts": 4},
    "OPT": _SIZES,
    "Phi3": _GROUPED,
    "Qwen": _GROUPED,
    "Roberta": _SIZES,
    "ViT": {"image_shape": (32, 32, 3), "patch_size": 8, "num_layers": 2, "num_heads": 4,
            "hidden_dim": 32, "mlp_dim": 64},
    "Whisper": _SIZES | {"num_mels": 80},
    "XLMRoberta": _SIZES,
}  # fmt: skip
