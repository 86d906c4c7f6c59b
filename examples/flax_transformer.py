"""
A transformer in Flax
=====================

A transformer of Flax nnx, its layers stacked by `nnx.vmap`: planned from shapes, then drawn.

Needs the core with NumPy, the JAX adapter, and Flax.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from fanwise_jax import init_model, measure_model
from flax import nnx

from fanwise import Recipe, Rule, lecun_normal, normal, orthogonal

LAYERS, WIDTH, HEADS, VOCABULARY = 6, 128, 4, 512

RECIPE = Recipe(
    (
        Rule(normal(std=WIDTH**-0.5), kind="embedding"),
        Rule(orthogonal(), match="*.attention.[qk]*.kernel", note="one matrix a layer"),
        Rule(
            lecun_normal().over_depth(LAYERS),
            match="*.out.kernel",
            note="ends a residual branch",
        ),
        Rule(lecun_normal()),
    ),
    name="transformer",
)


class Block(nnx.Module):
    """Attention and two linear layers, each in a residual branch."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(HEADS, WIDTH, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.out = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The block of one sequence or many."""
        x = x + self.attention(self.norm1(x))
        return x + self.out(nnx.gelu(self.up(self.norm2(x))))


class Transformer(nnx.Module):
    """Embedding, blocks, and the embedding again."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.blocks = nnx.vmap(lambda key: Block(nnx.Rngs(key)))(
            jax.random.split(rngs.params(), LAYERS)
        )

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits."""
        x, _ = nnx.scan(lambda x, block: (block(x), None), in_axes=(nnx.Carry, 0))(
            self.embed(tokens), self.blocks
        )
        return self.embed.attend(x)


def main() -> None:
    """Initialize the model, print its ledger, and run it."""
    model = nnx.eval_shape(lambda: Transformer(nnx.Rngs(0)))  # no memory yet
    model, ledger = init_model(model, RECIPE, key=jax.random.key(0))
    print(ledger.table(measure_model(model, ledger)))
    logits = nnx.jit(lambda model, tokens: model(tokens))(model, jnp.arange(16)[None])
    print(f"\nstd of the logits: {float(logits.std()):.3f}")
    if not bool(jnp.isfinite(logits).all()):
        raise SystemExit("the model's output is not finite")


if __name__ == "__main__":
    main()
