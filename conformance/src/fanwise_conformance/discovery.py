"""Finding backends: by name, of the entry points `fanwise.backends`, or by import path."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from .backend import BrokenBackend, Subject

GROUP = "fanwise.backends"

# The frameworks' own initializers, which the suite knows.
NATIVES = {
    "native:torch.nn.init": "fanwise_conformance.natives.torch_init:backend",
    "native:jax.nn.initializers": "fanwise_conformance.natives.jax_initializers:backend",
    "native:keras": "fanwise_conformance.natives.keras_initializers:backend",
    "native:flax": "fanwise_conformance.natives.flax_layers:backend",
    "native:timm": "fanwise_conformance.natives.timm_init:backend",
    "native:mlx": "fanwise_conformance.natives.mlx_init:backend",
    "native:tinygrad": "fanwise_conformance.natives.tinygrad_tensor:backend",
}


class SelectionError(Exception):
    """A backend that was asked for is unknown, there twice, or does not start."""


def installed() -> Mapping[str, metadata.EntryPoint]:
    """The entry points of the group, by name; an error if two have one name."""
    points = list(metadata.entry_points(group=GROUP))
    twice = sorted(name for name, n in Counter(point.name for point in points).items() if n > 1)
    if twice:
        raise SelectionError(f"`{GROUP}` must have each name once, got {twice} more often")
    return {point.name: point for point in points}


def known() -> list[str]:
    """The names of all backends that can be selected without an import path."""
    return [*sorted(installed()), *NATIVES]


def select(names: Iterable[str], device: str = "cpu") -> list[Subject]:
    """The backends of these names; of all installed ones for "all".

    Parameters
    ----------
    names : iterable of str
        Of entry points; of the frameworks' own, as "native:keras"; import paths, as
        "package.module:object"; or "all".
    device : str, default "cpu"
        The device that they are to draw on.

    Returns
    -------
    list of Subject
        In the order given.

    Raises
    ------
    SelectionError
        If none is given, or one is unknown, given twice, or does not start.
    """
    points = installed()
    given: list[str] = []
    for name in names:
        given += sorted(points) if name == "all" else [name]
    if not given:
        raise SelectionError(f"`--backend` must be given: one of {known()}, or all")
    twice = sorted(name for name, n in Counter(given).items() if n > 1)
    if twice:
        raise SelectionError(f"`--backend` must name each backend once, got {twice} more often")
    subjects = [_start(name, points, device) for name in given]
    called = Counter(subject.name for subject in subjects)
    twice = sorted(name for name, n in called.items() if n > 1)
    if twice:
        raise SelectionError(f"backends must have names of their own, got {twice} more often")
    return subjects


def _start(name: str, points: Mapping[str, metadata.EntryPoint], device: str) -> Subject:
    try:
        if name in points:
            place = points[name].value
        elif name in NATIVES or (":" in name and not name.startswith("native:")):
            place = NATIVES.get(name, name)
        else:
            raise SelectionError(
                f"`--backend` must be one of {known()} or an import path, pkg.mod:obj, got {name!r}"
            )
        module_name, _, attribute = place.rpartition(":")
        module = importlib.import_module(module_name)
        beside = Path(module.__file__ or ".").with_name("conformance.toml")
        return Subject(getattr(module, attribute), device, beside if beside.is_file() else None)
    except SelectionError:
        raise
    except BrokenBackend as error:
        raise SelectionError(f"backend {name!r} is not one: {error}") from error
    except Exception as error:  # whatever a framework raises where it cannot start
        raise SelectionError(
            f"backend {name!r} must start, got {type(error).__name__}: {error}"
        ) from error
