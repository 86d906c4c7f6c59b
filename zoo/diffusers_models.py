"""The denoisers and autoencoders of diffusers, by their default configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .case import Case

BATCH = 2


def cases() -> Iterator[Case]:
    """Those whose inputs are written down below."""
    from .torchvision_models import import_torchvision

    import_torchvision()
    import diffusers

    for name, (config, example) in _MODELS.items():
        yield Case(
            name,
            lambda name=name, config=config: getattr(diffusers, name)(**config).eval(),  # type: ignore[misc]
            lambda model, example=example: example(model.config),  # type: ignore[misc]
        )


def _image(config: Any) -> torch.Tensor:
    return torch.zeros(BATCH, config.in_channels, 32, 32)


def _steps() -> torch.Tensor:
    return torch.zeros(BATCH, dtype=torch.long)


def _autoencoder(config: Any) -> Any:
    return {"sample": _image(config)}


def _conditioned(config: Any) -> Any:
    return _text(config, width="cross_attention_dim", name="sample")


def _sd3(config: Any) -> Any:
    return {
        "hidden_states": _image(config),
        "timestep": _steps(),
        "encoder_hidden_states": torch.zeros(BATCH, 7, config.joint_attention_dim),
        "pooled_projections": torch.zeros(BATCH, config.pooled_projection_dim),
    }


def _flux(config: Any) -> Any:
    return {
        "hidden_states": torch.zeros(BATCH, 16, config.in_channels),
        "timestep": torch.zeros(BATCH),
        "encoder_hidden_states": torch.zeros(BATCH, 7, config.joint_attention_dim),
        "pooled_projections": torch.zeros(BATCH, config.pooled_projection_dim),
        "img_ids": torch.zeros(16, 3),
        "txt_ids": torch.zeros(7, 3),
        "guidance": torch.zeros(BATCH),
    }


def _text(config: Any, *, width: str, name: str = "hidden_states", **more: Any) -> Any:
    return {
        name: _image(config),
        "timestep": _steps(),
        "encoder_hidden_states": torch.zeros(BATCH, 7, getattr(config, width)),
        **more,
    }


def _video(config: Any) -> Any:
    return {
        "hidden_states": torch.zeros(BATCH, config.in_channels, 1, 16, 16),
        "timestep": _steps(),
        "encoder_hidden_states": torch.zeros(BATCH, 7, config.text_dim),
    }


_SMALL = {"num_layers": 2}
_DEEP = {"block_out_channels": (32, 64), "layers_per_block": 2, "norm_num_groups": 8}
_AUTOENCODER = _DEEP | {"down_block_types": ("DownEncoderBlock2D",) * 2,
                        "up_block_types": ("UpDecoderBlock2D",) * 2}  # fmt: skip
_MODELS: dict[str, tuple[dict[str, Any], Any]] = {
    "UNet2DModel": ({"sample_size": 32}, lambda c: {"sample": _image(c), "timestep": _steps()}),
    "UNet2DConditionModel": ({"sample_size": 32}, _conditioned),
    "ControlNetModel": (
        {},
        lambda c: {
            **_conditioned(c),
            "controlnet_cond": torch.zeros(BATCH, 3, 256, 256),
        },
    ),
    "AutoencoderKL": (_AUTOENCODER, _autoencoder),
    "VQModel": (_AUTOENCODER, _autoencoder),
    "AsymmetricAutoencoderKL": (
        {
            "down_block_types": ("DownEncoderBlock2D",) * 2,
            "down_block_out_channels": (32, 64),
            "up_block_types": ("UpDecoderBlock2D",) * 2,
            "up_block_out_channels": (32, 64),
            "norm_num_groups": 8,
        },
        _autoencoder,
    ),
    "AutoencoderTiny": ({}, _autoencoder),
    "ConsistencyDecoderVAE": ({}, lambda c: {"sample": torch.zeros(BATCH, 3, 64, 64)}),
    "DiTTransformer2DModel": (
        _SMALL,
        lambda c: {
            "hidden_states": _image(c),
            "timestep": _steps(),
            "class_labels": _steps(),
        },
    ),
    "PixArtTransformer2DModel": (
        _SMALL | {"caption_channels": 64, "sample_size": 32},
        lambda c: _text(
            c,
            width="caption_channels",
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ),
    ),
    "SD3Transformer2DModel": ({"num_layers": 3, "sample_size": 32}, _sd3),
    "FluxTransformer2DModel": (
        {"num_layers": 2, "num_single_layers": 2, "guidance_embeds": True},
        _flux,
    ),
    "AuraFlowTransformer2DModel": (
        {"num_mmdit_layers": 2, "num_single_dit_layers": 2},
        lambda c: _text(c, width="joint_attention_dim"),
    ),
    "SanaTransformer2DModel": (_SMALL, lambda c: _text(c, width="caption_channels")),
    "WanTransformer3DModel": (_SMALL, _video),
    "PriorTransformer": (
        _SMALL,
        lambda c: {
            "hidden_states": torch.zeros(BATCH, c.embedding_dim),
            "timestep": _steps(),
            "proj_embedding": torch.zeros(BATCH, c.embedding_dim),
            "encoder_hidden_states": torch.zeros(BATCH, c.num_embeddings, c.embedding_dim),
        },
    ),
}
