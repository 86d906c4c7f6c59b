"""The architectures of transformers, each from a shrunken configuration."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from .case import Case, NotBuilt
from .torchvision_models import import_torchvision

LAYERS = 4
_DEPTHS = (
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers",
    "num_encoder_layers", "num_decoder_layers", "depth",
)  # fmt: skip
BATCH, TOKENS = 2, 8


def cases() -> Iterator[Case]:
    """All model types that have a model class."""
    import_torchvision()  # before transformers does
    from transformers.models.auto import modeling_auto as auto

    for name in sorted({*auto.MODEL_MAPPING_NAMES, *auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}):
        yield Case(name, lambda name=name: build(name), example, refit)  # type: ignore[misc]


def _class_of(config: Any) -> Any:
    from transformers.models.auto import modeling_auto as auto

    for mapping in (auto.MODEL_FOR_CAUSAL_LM_MAPPING, auto.MODEL_MAPPING):
        try:
            found = mapping.get(config, None)
        except (ValueError, ModuleNotFoundError):  # listed, and not there
            continue
        if found is not None:
            return found[0] if isinstance(found, tuple | list) else found
    raise NotBuilt("it has no class of a model")


def build(name: str) -> torch.nn.Module:
    """The model of a type, as shallow as its configuration can be."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config_class = CONFIG_MAPPING[name]
    model_class = _class_of(config_class)
    problem: Exception | None = None
    for shallow in (True, False):
        try:
            config = config_class(**(_shallow(config_class) if shallow else {}))
            model: torch.nn.Module = model_class(config)
        except Exception as error:  # whatever a library raises
            problem = error
        else:
            return model.eval()
    raise NotBuilt(str(problem)) from problem


def _shallow(config_class: Any) -> dict[str, Any]:
    names = {*inspect.signature(config_class.__init__).parameters, *dir(config_class)}
    defaults = config_class()
    given: dict[str, Any] = {}
    for name in _DEPTHS:
        value = getattr(defaults, name, None)
        if name in names and isinstance(value, int) and value > LAYERS:
            given[name] = LAYERS
    for name, inner in getattr(config_class, "sub_configs", {}).items():
        is_there = isinstance(inner, type) and getattr(defaults, name, None) is not None
        if is_there and (shallow := _shallow(inner)):
            given[name] = shallow
    return given


def _configs(config: Any) -> list[Any]:
    """A configuration and those in it."""
    inner = [value for value in vars(config).values() if hasattr(value, "to_diff_dict")]
    return [config, *(one for value in inner for one in _configs(value))]


def _first(configs: list[Any], *names: str, default: Any = None) -> Any:
    for name in names:
        for config in configs:
            value = getattr(config, name, None)
            if isinstance(value, int | list | tuple) and not isinstance(value, bool):
                return value
    return default


def example(model: Any) -> dict[str, Any]:
    """An example of what a model takes, by the names of its arguments."""
    wanted = [*_required(model), *(name for name in _USUAL if name in _arguments(model))]
    if "pixel_values" not in _arguments(model) and "image_grid_thw" in wanted:
        wanted.remove("image_grid_thw")
    made = {name: _variants(model, name) for name in dict.fromkeys(wanted)}
    return {name: variants[0] for name, variants in made.items() if variants}


# What is given if a model takes it.
_USUAL = (
    "input_ids", "pixel_values", "image_grid_thw", "grid_thw", "mm_token_type_ids",
    "input_features", "input_values", "decoder_input_ids", "decoder_input_values",
    "pixel_values_videos", "use_cache",
)  # fmt: skip


def _arguments(model: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def _required(model: Any) -> list[str]:
    main = model.main_input_name
    return [
        *([main] if isinstance(main, str) else main),
        *(
            name
            for name, one in _arguments(model).items()
            if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
        ),
    ]


def _variants(model: Any, name: str) -> list[Any]:
    """What an argument may be, by its name: the likeliest first."""
    configs = _configs(model.config)
    vision = [c for c in configs if "ision" in type(c).__name__ or hasattr(c, "patch_size")]
    vision += configs
    size = _first(vision, "image_size", "input_size", default=224)
    height, width = size[:2] if isinstance(size, list | tuple) else (size, size)
    height, width = (n if isinstance(n, int) else 224 for n in (height, width))
    channels = _number(_first(vision, "num_channels", "in_channels", "in_chans", default=3))
    patch = _number(_first(vision, "patch_size", default=16))
    frames = _number(_first(vision, "num_frames", "frames_per_clip", "video_size", default=8))
    temporal = _number(_first(vision, "temporal_patch_size", default=1))
    merge = _number(_first(vision, "spatial_merge_size", "merge_size", default=2))
    width_of = _number(_first(configs, "hidden_size", "d_model", default=16))
    names = ("num_mel_bins", "n_mels", "feature_size", "mel_bins", "feature_projection_input_dim",
             "input_feat_size", "num_mels", "input_feat_per_channel", "input_dim")  # fmt: skip
    mels = [_number(_first(configs, *names, default=80)), 80, 128, 160]
    length = _number(_first(configs, "context_length", "seq_length", "max_length", default=64))
    variates = _number(_first(configs, "num_input_channels", "input_size", default=1))
    patches = torch.zeros(16, channels * temporal * patch**2)
    grid = torch.tensor([[1, 4, 4]])
    if "ids" in name.split("_") and name != "pixel_position_ids":
        return _tokens(model, name, 16 // merge**2)
    images = [(BATCH, channels, height, width), (BATCH, frames, channels, height, width),
              (BATCH, 2, channels, height, width), (BATCH, channels, frames, height, width),
              (BATCH, 1, channels, height, width), (BATCH, channels, 256, 256),
              (BATCH, 2, 1, 480, 640)]  # fmt: skip
    audio = [*((BATCH, n, 3000) for n in mels), *((BATCH, 3000, n) for n in mels),
             *((BATCH, 1, 3000, n) for n in mels), (BATCH, 1, 1024, mels[0])]  # fmt: skip
    waves = [(BATCH, 16000), (BATCH, 1, 16000), (BATCH, 1, 15360), (BATCH, length, mels[0]),
             (BATCH, 400, 80)]  # fmt: skip
    videos = images[1:2] + images[3:4]
    flat = {"grid_thw", "image_grid_thw", "spatial_shapes", "pixel_position_ids"}
    if name == "pixel_values" and flat & set(_arguments(model)):
        batch = torch.zeros(BATCH, 16, channels * temporal * patch**2)
        return [patches, patches.view(16, channels, patch, -1), batch, *_zeros(images)]
    given: dict[str, list[Any]] = {
        "pixel_values": _zeros(images),
        "hidden_states": [patches, *_zeros([(BATCH, TOKENS, width_of), (BATCH, width_of, TOKENS)])],
        "grid_thw": [grid],
        "image_grid_thw": [grid],
        "pixel_values_videos": [] if "image_grid_thw" in _arguments(model) else _zeros(videos),
        "pixel_attention_mask": [torch.ones(BATCH, 16, dtype=torch.long)],
        "spatial_shapes": [torch.tensor([[4, 4]] * BATCH)],
        "pixel_position_ids": [torch.zeros(BATCH, 16, 2, dtype=torch.long)],
        "input_values": _zeros(waves),
        "decoder_input_values": _zeros([(BATCH, 400, 80)]),
        "input_features": _zeros(audio),
        "audio_mel": _zeros([(BATCH, 64, n) for n in mels]),
        "audio_mel_mask": [torch.zeros(BATCH, 64, dtype=torch.bool)],
        "past_values": _zeros([(BATCH, length, variates), (BATCH, length)]),
        "visual_feats": _zeros(
            [(BATCH, 4, _number(_first(configs, "visual_feat_dim", default=16)))]
        ),
        "visual_pos": _zeros([(BATCH, 4, 4)]),
        "bbox": [torch.zeros(BATCH, TOKENS, 4, dtype=torch.long), torch.zeros(BATCH, TOKENS, 8)],
        "image_sizes": [torch.tensor([[height, width]] * BATCH)],
        "query_embeds": _zeros([(BATCH, 4, width_of)]),
        "inputs_embeds": _zeros([(BATCH, TOKENS, width_of)]),
        "noise_embeds": _zeros([(BATCH, TOKENS, width_of)]),
        "context_hidden_states": _zeros([(BATCH, TOKENS, width_of)]),
        "action_embeds": _zeros([(BATCH, 4, width_of)]),
        "latents": _zeros([(BATCH, width_of, TOKENS), (BATCH, TOKENS, width_of)]),
        "use_cache": [False],
    }
    masks = {f"{one}{end}": one for one in ("input_features", "feature") for end in
             ("_mask", "_attention_mask")}  # fmt: skip
    if name in masks:
        return [torch.ones(BATCH, n, dtype=torch.long) for n in (3000, *mels[:1])]
    return given.get(name, [])


def _zeros(shapes: list[tuple[int, ...]]) -> list[Any]:
    return [torch.zeros(shape) for shape in dict.fromkeys(shapes)]


def _number(value: Any) -> int:
    while isinstance(value, list | tuple):
        value = value[-1] if value else 1
    return int(value)


def _tokens(model: Any, name: str, images: int) -> list[torch.Tensor]:
    config, arguments = model.config, _arguments(model)
    ids = torch.ones(BATCH, TOKENS, dtype=torch.long)
    image = getattr(config, "image_token_id", getattr(config, "image_token_index", None))
    if "pixel_values" not in arguments or image is None:
        return [torch.zeros_like(ids) if "type" in name else ids]
    if "image_grid_thw" in arguments:  # one image, whose place is marked
        ids = torch.ones(1, TOKENS, dtype=torch.long) * (0 if "type" in name else 1)
        ids[:, 1 : 1 + images] = 1 if "type" in name else image
        return [ids, torch.ones(1, TOKENS, dtype=torch.long).to("meta")]
    # Without values, whatever is asked of tokens is so: places of images are where features are.
    return [torch.zeros_like(ids) if "type" in name else ids.to("meta")]


def refit(model: Any, example: Mapping[str, Any], message: str) -> dict[str, Any] | None:
    """A better example, by what the model said of one; at last, tokens alone."""
    if match := re.search(r"missing \d+ required positional arguments?: (.*)", message):
        names = [name for name in re.findall(r"'(\w+)'", match[1]) if name not in example]
        made = {name: variants[0] for name in names if (variants := _variants(model, name))}
        return {**example, **made} if made else None
    for name in ("input_features_mask", "feature_attention_mask", "image_sizes", "spatial_shapes",
                 "pixel_attention_mask", "bbox", "visual_feats", "visual_pos"):  # fmt: skip
        is_missing = name not in example and name in _arguments(model)
        if is_missing and ("NoneType" in message or name in message):
            return {**example, name: _variants(model, name)[0]}
    if match := re.search(r"expected input\[([\d, ]+)\] to have (\d+) channels", message):
        wrong, right = int(match[1].split(", ")[1]), int(match[2])
        for name in ("pixel_values", "input_features", "input_values"):
            shape = list(example[name].shape) if name in example else []
            if len(shape) > 2 and wrong in shape[1:] and right not in shape[1:]:
                shape[shape.index(wrong, 1)] = right
                return {**example, name: torch.zeros(shape)}
    for name, value in example.items():  # the next that it may be
        variants = _variants(model, name)
        later = [
            one for before, one in itertools.pairwise(variants)
            if isinstance(value, torch.Tensor) and before.shape == value.shape
            and before.device == value.device
        ]  # fmt: skip
        if later:
            return {**example, name: later[0]}
    tokens = {
        name: torch.ones(BATCH, TOKENS, dtype=torch.long)
        for name in ("input_ids", "decoder_input_ids")
        if name in _arguments(model)
    }
    if not tokens or len(example) <= len(tokens) + 1:
        return None
    return {**tokens, **({"use_cache": False} if "use_cache" in example else {})}
