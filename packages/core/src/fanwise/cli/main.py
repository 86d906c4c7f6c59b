"""The command: plan, initialize and explain from the shell (spec: recipes/9).

Numbers are made by the rest of the package; this file reads and writes files. NumPy, safetensors
and rich are needed by the subcommands that draw or read `.safetensors`, and imported there.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from .._axes import Axes
from .._draws.dtypes import DTYPES
from .._draws.streams import STREAM
from .._errors import RecipeError
from .._models.ledger import Ledger, Measured
from .._models.parameter import Parameter, model_from_data
from .._models.planning import plan_model
from .._models.recipe import Recipe
from .._schemes.plan import resolve
from .._schemes.scheme import Scheme, documentation, scheme_names

# What safetensors can store.
_FILE_DTYPES = [name for name in DTYPES if "fnuz" not in name and name != "complex128"]
_PACKAGE = __package__.rpartition(".")[0] if __package__ else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        with _interrupt_on_termination():
            return int(options.run(options))
    except BrokenPipeError:  # whoever reads, as `head` does, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        print(f"error: {error}: pip install numpy safetensors rich", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError, RecursionError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"  {note}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        written = getattr(options, "written", False)
        print("interrupted" + ("" if written else ": nothing was written"), file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {_PACKAGE}",
        description="Initialize the weights of a model from a list of its parameters.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    plan = commands.add_parser("plan", help="print what would be drawn, and draw nothing")
    _add_model(plan)
    plan.add_argument("--json", action="store_true", help="print the ledger as JSON")
    plan.set_defaults(run=_run_plan)

    init = commands.add_parser("init", help="draw every parameter and write them to a file")
    _add_model(init)
    init.add_argument("--seed", type=int, required=True, help="from 0 up to 2**64 - 1")
    init.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors")
    init.add_argument("--dtype", default="float32", choices=_FILE_DTYPES)
    init.add_argument("--quiet", action="store_true", help="print neither progress nor ledger")
    init.set_defaults(run=_run_init)

    explain = commands.add_parser("explain", help="print the law of a scheme for one shape")
    explain.add_argument("scheme", help=f"a JSON object or a name: {', '.join(scheme_names())}")
    explain.add_argument("--shape", required=True, help="such as 128,64,3,3")
    explain.add_argument("--axes", help="such as 'out in kernel kernel', or a JSON object")
    explain.add_argument("--complex", action="store_true", help="for complex weights")
    explain.set_defaults(run=_run_explain)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.json|MODEL.safetensors")
    parser.add_argument("--recipe", type=Path, required=True, metavar="RECIPE.json")


def _run_plan(options: argparse.Namespace) -> int:
    ledger = _ledger(_read_recipe(options.recipe), options.model)
    print(json.dumps(ledger.to_data(), indent=2) if options.json else ledger)
    return 0


def _run_init(options: argparse.Namespace) -> int:
    _check_writable(options.out)
    recipe = _read_recipe(options.recipe)
    ledger = _ledger(recipe, options.model)
    provenance = {
        "generator": f"{_PACKAGE} {__version__}",
        "stream": f"{STREAM}, NumPy's SFC64",
        "seed": options.seed,
        "recipe": recipe.to_data(),
    }
    arrays, measured = _draw_all(ledger, options.seed, options.dtype, quiet=options.quiet)
    # One key: safetensors writes several in no fixed order, and equal runs shall write equal bytes.
    _write_safetensors(options.out, arrays, {"initialization": json.dumps(provenance)})
    options.written = True
    if not options.quiet:
        print(ledger.table(measured))
        print(f"\n{_summary(ledger)} written to {options.out}")
    return 0


def _run_explain(options: argparse.Namespace) -> int:
    rule = _json_or_text(options.scheme)
    scheme = Scheme.from_data(rule)
    axes = None if options.axes is None else Axes.from_data(_json_or_text(options.axes))
    plan = resolve(
        scheme, _parse_shape(options.shape), axes, field="complex" if options.complex else "real"
    )
    print(f"scheme   {scheme}\nshape    {plan.shape}\naxes     {axes}")
    for part in plan.parts:
        if len(plan.parts) > 1:
            print(f"\nblock    start {part.start}, shape {part.shape}")
        law = part.law
        if part.fans is not None:
            print(f"fans     in {part.fans.fan_in}, out {part.fans.fan_out}")
        print(f"law      {law}\nmean     {law.mean:.17g}\nvariance {law.variance:.17g}")
        print(f"std      {law.std:.17g}\nbounds   {law.support[0]:.17g} to {law.support[1]:.17g}")
        print(f"kurtosis {law.excess_kurtosis:.17g} (excess)")
    name = rule["name"] if isinstance(rule, dict) else rule
    print(f"\n{documentation(name)}")
    return 0


def _read_recipe(path: Path) -> Recipe:
    return Recipe.from_data(_read_json(path))


def _ledger(recipe: Recipe, model: Path) -> Ledger:
    ledger = plan_model(_read_model(model), recipe)
    for entry in ledger.entries:
        if entry.path == "__metadata__":
            raise RecipeError("`path` must not be '__metadata__', which .safetensors files reserve")
    return ledger


def _read_model(path: Path) -> tuple[Parameter, ...]:
    if path.suffix == ".safetensors":
        return _read_header(path)
    return model_from_data(_read_json(path))


def _read_header(path: Path) -> tuple[Parameter, ...]:
    """Names and shapes of a `.safetensors` file; only its header is read."""
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            names = file.keys()
            return tuple(_parameter(name, file.get_slice(name)) for name in names)
    except safetensors.SafetensorError as error:
        raise RecipeError(
            f"`model` must be a valid .safetensors file, got {path}: {error}"
        ) from None


def _summary(ledger: Ledger) -> str:
    counts = {"parameters": 0, "buffer values": 0}
    for entry in ledger.entries:
        if entry.plan is not None:
            kind = "buffer values" if entry.parameter.kind == "buffer" else "parameters"
            counts[kind] += entry.plan.size
    return " and ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


def _parameter(name: str, header: Any) -> Parameter:
    dtype = header.get_dtype()
    return Parameter(
        name,
        tuple(header.get_shape()),
        kind="unknown",
        status=None if dtype.startswith(("F", "BF", "C")) else "skipped",
        field="complex" if dtype.startswith("C") else "real",
    )


def _read_json(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"`{path}` must be JSON, got {error}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RecipeError(
            f"every key of an object must occur once, got {[key for key, _ in pairs]}"
        )
    return found


def _json_or_text(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except ValueError as error:
        raise RecipeError(f"an argument must be a name or JSON, got {text!r}: {error}") from None


def _parse_shape(text: str) -> list[int]:
    try:
        return [int(size) for size in text.replace("x", ",").split(",")] if text else []
    except ValueError:
        raise RecipeError(
            f"`--shape` must be whole numbers and commas, such as 128,64,3,3, got {text!r}"
        ) from None


def _draw_all(
    ledger: Ledger, seed: int, dtype: str, *, quiet: bool
) -> tuple[dict[str, Any], dict[str, Measured]]:
    from rich.console import Console
    from rich.progress import Progress

    from ..numpy.initialize import draw_ledger, measure_array

    arrays: dict[str, Any] = {}
    measured = {}
    plans = {entry.path: entry.plan for entry in ledger.entries if entry.plan is not None}
    draws = draw_ledger(ledger, seed, dtype)
    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("drawing", total=sum(plan.size for plan in plans.values()))
        for path, array in draws:
            arrays[path] = array
            if not quiet and path in plans:
                measured[path] = measure_array(plans[path], array)
            progress.advance(task, array.size)
    return arrays, measured


def _check_writable(path: Path) -> None:
    """Raise before anything is drawn if a file cannot be made beside `path`."""
    if path.exists() and not path.is_file():  # a directory, a device, a pipe
        raise OSError(f"`--out` must be a regular file, got {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`--out` must be in a directory that exists, got {path}")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(f"`--out` must be writable, got {path}: {error.strerror}") from None


def _write_safetensors(path: Path, arrays: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write to a temporary file beside `path`, then rename: all of it or nothing."""
    path = path.resolve()  # what a link points to is replaced, not the link
    from safetensors.numpy import save_file

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".initialization.")
    os.close(handle)
    try:
        save_file(arrays, temporary, metadata)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _interrupt_on_termination() -> Iterator[None]:
    """Let a request to terminate unwind as an interrupt does, so that temporary files go."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
