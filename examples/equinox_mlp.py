"""
A multilayer perceptron in Equinox
==================================

A multilayer perceptron of Equinox, with the gain of its activation, trained on digits.

Needs the core with NumPy, the JAX adapter, Equinox and scikit-learn.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from fanwise_jax import init_model, measure_model
from sklearn.datasets import load_digits

from fanwise import Recipe, Rule, orthogonal

RECIPE = Recipe(
    (
        Rule(orthogonal(gain=0.01), match="layers.2.weight", note="start undecided"),
        Rule(orthogonal(gain="gelu")),
    )
)


def loss(model: eqx.nn.MLP, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross entropy."""
    logits = jax.vmap(model)(images)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


@eqx.filter_jit
def step(model: eqx.nn.MLP, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, eqx.nn.MLP]:
    """One step of gradient descent."""
    value, gradient = eqx.filter_value_and_grad(loss)(model, images, labels)
    return value, eqx.apply_updates(model, jax.tree.map(lambda g: -0.5 * g, gradient))


def main() -> None:
    """Initialize the model, print its ledger, and train it."""
    model = eqx.nn.MLP(64, 10, 128, depth=2, activation=jax.nn.gelu, key=jax.random.key(0))
    model, ledger = init_model(model, RECIPE, key=jax.random.key(1))
    print(ledger.table(measure_model(model, ledger)))
    digits = load_digits()
    images, labels = jnp.asarray(digits.data / 16), jnp.asarray(digits.target)
    losses = []
    for _ in range(60):
        value, model = step(model, images, labels)
        losses.append(float(value))
    print(f"\nloss {losses[0]:.3f} -> {losses[-1]:.3f} in {len(losses)} steps")
    if not losses[-1] < losses[0] / 2:
        raise SystemExit("the loss did not fall")


if __name__ == "__main__":
    main()
