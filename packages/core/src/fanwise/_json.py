"""Records as plain JSON data, and the documents that hold them (spec: recipes/2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from ._errors import RecipeError

SCHEMA_VERSION = 1

Reader: TypeAlias = Callable[[Any], Any]

_T = TypeVar("_T")


def read_document(data: Any, form: str, keys: set[str]) -> Mapping[str, Any]:
    """Check a JSON document's format, version and keys."""
    if not isinstance(data, Mapping) or data.get("format") != form:
        got = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        raise RecipeError(f"`format` must be {form!r}, got {got!r}")
    if type(data.get("version")) is not int or data["version"] != SCHEMA_VERSION:
        raise RecipeError(f"`version` must be {SCHEMA_VERSION}, got {data.get('version')!r}")
    check_keys(form, data, keys | {"format", "version"})
    for key in ("name", "reference"):
        if not isinstance(data.get(key, ""), str):
            raise RecipeError(f"`{key}` must be a string, got {data[key]!r}")
    return data


def check_keys(name: str, data: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise unless `data` has only these keys."""
    unknown = sorted(set(data) - set(keys))
    if unknown:
        raise RecipeError(f"`{name}` must have only the keys {sorted(keys)}, got {unknown}")


def as_list(name: str, value: Any) -> Sequence[Any]:
    """Return `value`; raise unless it is a list."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RecipeError(f"`{name}` must be a list, got {value!r}")
    return value


def record_to_data(record: Any) -> dict[str, Any]:
    """A record as plain JSON data, defaults left out."""
    data = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value == field.default:
            continue
        if hasattr(value, "to_data"):
            value = value.to_data()
        data[field.name] = list(value) if isinstance(value, tuple) else value
    return data


def record_from_data(cls: type[_T], data: Any, readers: Mapping[str, Reader]) -> _T:
    """Read a record back from `record_to_data`'s form; `readers` are for the fields of a name."""
    name = cls.__name__.lower()
    if not isinstance(data, Mapping):
        raise RecipeError(f"`{name}` must be an object, got {data!r}")
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every record is a dataclass
    check_keys(name, data, {field.name for field in fields})
    for field in fields:
        if field.default is dataclasses.MISSING and field.name not in data:
            raise RecipeError(f"`{name}` must have the key {field.name!r}, got {dict(data)}")
    values: dict[str, Any] = {
        key: readers[key](value) if key in readers and value is not None else value
        for key, value in data.items()
    }
    for key in ("path", "match", "fans_of", "norms_of", "tied_to", "layer", "note"):
        if values.get(key) is not None and not isinstance(values[key], str):
            raise RecipeError(f"`{key}` must be a string, got {values[key]!r}")
    return cls(**values)
