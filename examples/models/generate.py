"""Write the parameter lists of GPT-2 small and ResNet-50, as their published code names them.

GPT-2: Radford et al. (2019), the names of the released checkpoints. ResNet-50: He et al. (2015),
arXiv:1512.03385, the names of torchvision's `resnet50`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from fanwise import Axes, Parameter, layers, model_to_data


def gpt2(
    *, depth: int = 12, width: int = 768, vocabulary: int = 50257, positions: int = 1024
) -> Iterator[Parameter]:
    """GPT-2 small; its kernels are stored inputs first."""
    linear = Axes("in out")
    fused = Axes("in out", blocks={"out": 3})

    def norm(path: str) -> Iterator[Parameter]:
        yield Parameter(f"{path}.weight", (width,), layers.torch.norm(), kind="norm_scale")
        yield Parameter(f"{path}.bias", (width,), layers.torch.norm(), kind="norm_bias")

    def dense(path: str, into: int, out: int, axes: Axes = linear) -> Iterator[Parameter]:
        yield Parameter(f"{path}.weight", (into, out), axes)
        bias = replace(layers.torch.bias(), blocks=axes.blocks)
        yield Parameter(f"{path}.bias", (out,), bias, kind="bias", fans_of=f"{path}.weight")

    embedding = layers.torch.embedding()
    yield Parameter("wte.weight", (vocabulary, width), embedding, kind="embedding")
    yield Parameter("wpe.weight", (positions, width), embedding, kind="embedding")
    for layer in range(depth):
        yield from norm(f"h.{layer}.ln_1")
        yield from dense(f"h.{layer}.attn.c_attn", width, 3 * width, fused)
        yield from dense(f"h.{layer}.attn.c_proj", width, width)
        yield from norm(f"h.{layer}.ln_2")
        yield from dense(f"h.{layer}.mlp.c_fc", width, 4 * width)
        yield from dense(f"h.{layer}.mlp.c_proj", 4 * width, width)
    yield from norm("ln_f")
    yield Parameter(
        "lm_head.weight", (vocabulary, width), layers.torch.linear(), tied_to="wte.weight"
    )


def resnet50(*, classes: int = 1000) -> Iterator[Parameter]:
    """ResNet-50, with the buffers of its batch normalizations."""

    def conv(path: str, into: int, out: int, size: int) -> Iterator[Parameter]:
        yield Parameter(f"{path}.weight", (out, into, size, size), layers.torch.conv(2))

    def norm(path: str, width: int) -> Iterator[Parameter]:
        yield Parameter(f"{path}.weight", (width,), layers.torch.norm(), kind="norm_scale")
        yield Parameter(f"{path}.bias", (width,), layers.torch.norm(), kind="norm_bias")
        yield Parameter(f"{path}.running_mean", (width,), layers.torch.bias(), kind="buffer")
        yield Parameter(f"{path}.running_var", (width,), layers.torch.bias(), kind="buffer")
        yield Parameter(f"{path}.num_batches_tracked", (), kind="buffer", status="skipped")

    yield from conv("conv1", 3, 64, 7)
    yield from norm("bn1", 64)
    into = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for block in range(blocks):
            path = f"layer{stage}.{block}"
            sizes = ((into, width, 1), (width, width, 3), (width, 4 * width, 1))
            for index, (a, b, size) in enumerate(sizes, start=1):
                yield from conv(f"{path}.conv{index}", a, b, size)
                yield from norm(f"{path}.bn{index}", b)
            if block == 0:
                yield from conv(f"{path}.downsample.0", into, 4 * width, 1)
                yield from norm(f"{path}.downsample.1", 4 * width)
            into = 4 * width
    yield Parameter("fc.weight", (classes, into), layers.torch.linear())
    yield Parameter("fc.bias", (classes,), layers.torch.bias(), kind="bias", fans_of="fc.weight")


def document(name: str, parameters: Iterator[Parameter]) -> str:
    """A model as JSON, one parameter a line."""
    data = model_to_data(parameters, name=name)
    lines = ",\n".join("    " + json.dumps(parameter) for parameter in data.pop("parameters"))
    head = json.dumps(data, indent=2)[:-2]
    return f'{head},\n  "parameters": [\n{lines}\n  ]\n}}\n'


MODELS: dict[str, tuple[str, Callable[[], Iterator[Parameter]]]] = {
    "gpt2": ("GPT-2 small", gpt2),
    "resnet50": ("ResNet-50", resnet50),
}

if __name__ == "__main__":
    for file, (title, parameters) in MODELS.items():
        Path(__file__).with_name(f"{file}.json").write_text(document(title, parameters()))
