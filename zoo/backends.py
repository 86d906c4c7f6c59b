"""How each framework builds a model without memory, reads it, and tells its constructor's laws."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from .case import Case, Row
from .judging import judge

SMALL = 2**27  # elements of a model that is constructed for real


def judge_torch(case: Case) -> Row:
    """Judge a module of PyTorch, built on `meta`."""
    import torch
    from fanwise_torch import structure

    from .own_laws import own_laws

    def abstract(build: Callable[[], Any]) -> Any:
        try:
            with torch.device("meta"):
                return build()
        except RuntimeError:  # its constructor needs values
            return build()

    return judge(
        case, structure, lambda build, elements: own_laws(build, small=elements < SMALL), abstract
    )


def judge_keras(case: Case) -> Row:
    """Judge a model of Keras, built as it is, whose constructor's laws nothing tells."""
    from fanwise_tf import structure

    return judge(case, structure, _no_laws, lambda build: build())


def judge_jax(case: Case) -> Row:
    """Judge a tree of JAX; `build` gives it with what applies it."""
    from fanwise_jax import structure

    def read(model: Any, example: Any) -> Any:
        tree, apply = model
        return structure(tree, example, **({} if apply is None else {"apply": apply}))

    return judge(case, read, _no_laws, lambda build: build())


def _no_laws(build: Callable[[], Any], elements: int) -> Mapping[str, Any]:
    return {}


# The module of each family, and how its models are judged.
FAMILIES: Mapping[str, tuple[str, Callable[[Case], Row]]] = {
    "transformers": ("transformers_models", judge_torch),
    "timm": ("timm_models", judge_torch),
    "torchvision": ("torchvision_models", judge_torch),
    "diffusers": ("diffusers_models", judge_torch),
    "keras": ("keras_models", judge_keras),
    "jax": ("jax_models", judge_jax),
}


def cases_of(family: str) -> dict[str, Case]:
    """The models of a family, by name."""
    module = importlib.import_module(f".{FAMILIES[family][0]}", __package__)
    return {case.name: case for case in module.cases()}
