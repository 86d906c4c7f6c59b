"""Each adapter against its framework: GPT-2 small, one small tensor, the import.

    nox -s bench

Every figure is of a process of its own. A ratio is the adapter's time or memory over the native
one's: below 1 is better than native. Native draws are what each framework's users write; they
follow the same laws.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FRAMEWORKS = {
    "torch": ("torch", "fanwise_torch"),
    "jax": ("jax", "fanwise_jax"),
    "tensorflow": ("tensorflow, keras", "fanwise_tf"),
}
LAYERS, WIDTH, VOCABULARY, CONTEXT = 12, 768, 50257, 1024
SMALL_CALLS = 300
REPEAT = 3

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def recipe() -> Any:
    """GPT-2's laws, as in examples/recipes/gpt2.json."""
    from fanwise import Recipe

    return Recipe.from_data(json.loads((ROOT / "examples/recipes/gpt2.json").read_text()))


def shapes() -> dict[str, tuple[int, ...]]:
    """The parameters of GPT-2 small, by path; the output's are the embedding's."""
    data = json.loads((ROOT / "examples/models/gpt2.json").read_text())
    return {p["path"]: tuple(p["shape"]) for p in data["parameters"] if "tied_to" not in p}


def std_of(path: str) -> float | None:
    """The std of a parameter's law; None for a constant."""
    if path.endswith("bias") or "ln_" in path:
        return None
    return 0.02 / (2 * LAYERS) ** 0.5 if path.endswith("c_proj.weight") else 0.02


Way = Callable[[], object]


def torch_ways() -> dict[str, Way]:
    """A model whose memory is there, filled in place."""
    import torch
    from fanwise_torch import init_model_
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attn = nn.ModuleDict(
                {"c_attn": nn.Linear(WIDTH, 3 * WIDTH), "c_proj": nn.Linear(WIDTH, WIDTH)}
            )
            self.mlp = nn.ModuleDict(
                {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
            )

    with torch.device("meta"):
        model = nn.ModuleDict(
            {
                "wte": nn.Embedding(VOCABULARY, WIDTH),
                "wpe": nn.Embedding(CONTEXT, WIDTH),
                "h": nn.ModuleList(Block() for _ in range(LAYERS)),
                "ln_f": nn.LayerNorm(WIDTH),
            }
        )
    model.to_empty(device="cpu")
    for parameter in model.parameters():  # touch the memory
        parameter.data.zero_()

    def native() -> None:
        for path, tensor in model.named_parameters():
            std = std_of(path)
            if std is None:
                nn.init.constant_(tensor, float("bias" not in path))
            else:
                nn.init.normal_(tensor, std=std)

    return {"native": native, "adapter": lambda: init_model_(model, recipe(), seed=0)}


def jax_ways() -> dict[str, Way]:
    """A tree of arrays, made of shapes."""
    import jax
    from fanwise_jax import init_model

    from fanwise import Declaration

    initializers = jax.nn.initializers
    wait: Callable[[Any], object] = jax.block_until_ready
    tree = {
        path: jax.eval_shape(partial(jax.numpy.zeros, shape)) for path, shape in shapes().items()
    }
    data = json.loads((ROOT / "examples/models/gpt2.json").read_text())
    kinds = {p["path"]: p.get("kind", "weight") for p in data["parameters"] if p["path"] in tree}
    declarations = {path: Declaration(kind=kind) for path, kind in kinds.items()}

    def native() -> object:
        keys = jax.random.split(jax.random.key(0), len(tree))
        arrays = {}
        for key, (path, leaf) in zip(keys, tree.items(), strict=True):
            std = std_of(path)
            fill = initializers.zeros if "bias" in path else initializers.ones
            arrays[path] = (fill if std is None else initializers.normal(std))(key, leaf.shape)
        return wait(arrays)

    def adapter() -> object:
        params, _ = init_model(tree, recipe(), key=jax.random.key(0), declarations=declarations)
        return wait(params)

    return {"native": native, "adapter": adapter}


def tensorflow_ways() -> dict[str, Way]:
    """Keras layers whose variables are there, assigned."""
    import keras
    from fanwise_tf import init_model_

    class Gpt2(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
        def __init__(self) -> None:
            super().__init__()
            layers, built = keras.layers, []
            self.wte, self.wpe = (
                layers.Embedding(VOCABULARY, WIDTH),
                layers.Embedding(CONTEXT, WIDTH),
            )
            for name in ("wte", "wpe"):
                getattr(self, name).build(None)
            sizes = {"c_attn": (1, 3), "c_proj": (1, 1), "c_fc": (1, 4), "mlp_c_proj": (4, 1)}
            for block in range(LAYERS):
                for name, (inputs, units) in sizes.items():
                    dense = layers.Dense(units * WIDTH, name=f"h_{block}_{name}")
                    dense.build((None, inputs * WIDTH))
                    built.append(dense)
                for norm in range(2):
                    built.append(layers.LayerNormalization(name=f"h_{block}_ln_{norm}"))
                    built[-1].build((None, WIDTH))
            built.append(layers.LayerNormalization(name="ln_f"))
            built[-1].build((None, WIDTH))
            self.blocks = built
            self.built = True

    model = Gpt2()
    # The same laws; the embeddings' kind and the projections' names are Keras'.
    rules = recipe().rules
    from dataclasses import replace

    from fanwise import Recipe

    keras_recipe = Recipe(
        replace(rule, match="*c_proj.kernel") if "c_proj" in rule.match else rule for rule in rules
    )

    def native() -> None:
        initializers = keras.initializers
        for seed, variable in enumerate(model.variables):
            if variable.name in ("bias", "beta"):
                fill = initializers.Zeros()
            elif variable.name == "gamma":
                fill = initializers.Ones()
            else:
                projection = "c_proj" in variable.path
                std = 0.02 / (2 * LAYERS) ** 0.5 if projection else 0.02
                fill = initializers.RandomNormal(stddev=std, seed=seed)
            variable.assign(fill(variable.shape, variable.dtype))

    return {"native": native, "adapter": lambda: init_model_(model, keras_recipe, seed=0)}


def small_ways(framework: str) -> dict[str, Way]:
    """He normal for one 4 x 4 tensor, by a call of the framework and of the adapter."""
    from fanwise import Axes, he_normal

    if framework == "torch":
        import torch
        from fanwise_torch import init_

        tensor, scheme, axes = torch.empty(4, 4), he_normal(), Axes("out in")
        generator = torch.Generator()
        return {
            "native": lambda: torch.nn.init.kaiming_normal_(tensor),
            "adapter": lambda: init_(tensor, scheme, axes, rng=generator),
            "adapter, by seed": lambda: init_(tensor, scheme, axes, seed=0, path="w"),
        }
    scheme, axes = he_normal(family="truncated_normal"), Axes("in out")
    if framework == "jax":
        import jax
        from fanwise_jax import initializer

        key, ours = jax.random.key(0), initializer(scheme, axes)
        native = jax.nn.initializers.he_normal()
        return {
            "native": lambda: native(key, (4, 4)).block_until_ready(),
            "adapter": lambda: ours(key, (4, 4)).block_until_ready(),
        }
    import fanwise_tf
    import keras

    kerass = keras.initializers.HeNormal(seed=1)
    here = fanwise_tf.initializer(scheme, axes, seed=1, path="w")
    return {"native": lambda: kerass((4, 4)), "adapter": lambda: here((4, 4))}


def resident() -> int:
    """Bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measure_model(framework: str, way: str) -> dict[str, float]:
    """Times of initializing the model, and memory beyond what was there before, at its peak."""
    call = {"torch": torch_ways, "jax": jax_ways, "tensorflow": tensorflow_ways}[framework]()[way]
    gc.collect()
    before = resident()
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        made = call()
        times.append(time.perf_counter() - start)
        del made
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"first": times[0], "later": min(times[1:]), "peak": (peak - before) / 2**20}


def measure_small(framework: str) -> dict[str, float]:
    """Microseconds of each way's call, taken in turn."""
    ways = small_ways(framework)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for call in ways.values():
        call()
    for _ in range(SMALL_CALLS):
        for way, call in ways.items():
            start = time.perf_counter()
            call()
            times[way].append(time.perf_counter() - start)
    return {way: statistics.median(found) * 1e6 for way, found in times.items()}


def measure_import(framework: str) -> dict[str, float]:
    """Seconds that the framework's import takes, and the adapter's after it."""
    names, adapter = FRAMEWORKS[framework]
    start = time.perf_counter()
    for name in names.split(", "):
        __import__(name)
    between = time.perf_counter()
    __import__(adapter)
    return {"framework": between - start, "adapter": time.perf_counter() - between}


def in_a_process(*arguments: str) -> dict[str, float]:
    """What this script measures in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def rows(framework: str) -> Iterator[str]:
    """A framework's figures, a line each."""
    found = {way: in_a_process("model", framework, way) for way in ("native", "adapter")}
    native, ours = found["native"], found["adapter"]
    for name, unit in (("first", "s"), ("later", "s"), ("peak", "MiB")):
        row = f"GPT-2, {name:9} {native[name]:9.2f} {ours[name]:9.2f} {unit:4}"
        if unit == "s" or native[name] > 10:  # MiB: less is noise
            row += f" ratio {ours[name] / native[name]:.2f}"
        yield row
    small = in_a_process("small", framework)
    for way, microseconds in small.items():
        if way != "native":
            yield (
                f"4 x 4, {way:17} {small['native']:9.1f} {microseconds:9.1f} us   "
                f"overhead {microseconds - small['native']:.1f} us"
            )
    seconds = in_a_process("import", framework)
    yield f"import           {seconds['framework']:9.2f} {seconds['adapter']:9.3f} s"


def main() -> None:
    """Print a table for each framework; or, in a process of its own, one measurement."""
    measures: dict[str, Callable[..., dict[str, float]]] = {
        "model": measure_model,
        "small": measure_small,
        "import": measure_import,
    }
    if sys.argv[1:] and sys.argv[1] in measures:
        print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    for framework in sys.argv[1:] or FRAMEWORKS:
        print(f"\n{framework:24} native   adapter")
        for row in rows(framework):
            print(row, flush=True)
    print("\nlines of each source")
    for path in sorted(ROOT.glob("packages/*/src/*/_source.py")):
        print(f"{path.parent.name:16} {len(path.read_text().splitlines()):4}")


if __name__ == "__main__":
    main()
