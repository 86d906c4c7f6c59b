"""Trace a model whose parameters are a tree without its layers: Flax linen's and Haiku's."""

from __future__ import annotations

import importlib
from typing import Any

from ._core import Declaration, SourceError
from ._layers import LIBRARIES


def trace_declarations(model: Any, /, *args: Any, **kwargs: Any) -> dict[str, Declaration]:
    """Find out what the layers that a model calls declare of its parameters.

    Parameters
    ----------
    model : flax.linen.Module, haiku.Transformed or haiku.TransformedWithState
        The model. Nothing is computed: its `init` is traced by `jax.eval_shape`.
    *args, **kwargs
        What its `init` takes after the key, as arrays or as their shapes and dtypes.

    Returns
    -------
    dict of str to Declaration
        By path in what `init` returns; for Haiku, in the parameters alone.

    Raises
    ------
    SourceError
        If the model is of another kind.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from flax import linen as nn
    >>> from fanwise import he_normal
    >>> from fanwise_jax import init_model, trace_declarations
    >>> model = nn.Dense(8)
    >>> declarations = trace_declarations(model, jnp.empty((1, 4)))
    >>> declarations["params.kernel"].axes
    Axes('in out')
    >>> shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.empty((1, 4)))
    >>> key = jax.random.key(1)
    >>> variables, _ = init_model(shapes, he_normal(), key=key, declarations=declarations)
    >>> variables["params"]["kernel"].shape
    (4, 8)
    """
    for base in type(model).__mro__:
        library = base.__module__.partition(".")[0]
        if library in ("flax", "haiku") and hasattr(model, "init"):
            module = importlib.import_module(f".{LIBRARIES[library]}", __package__)
            declared: dict[str, Declaration] = module.trace(model, args, kwargs)
            return declared
    raise SourceError(
        f"`model` must be a Flax linen module or a transformed Haiku function, "
        f"got {type(model).__name__}"
    )
