"""
A small network in Keras
========================

A network of fully connected layers in Keras, by its two named initializers and four laws.

Hands the digits of scikit-learn to each, and shows the weights before, after, and what training
makes of them in a few steps. Needs the core with NumPy, the Keras adapter, and scikit-learn.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from fanwise_tf import init_model_, initializers, measure_model
from sklearn.datasets import load_digits

from fanwise import Scheme, glorot_normal, he_normal, normal, uniform

LAWS: dict[str, Scheme] = {
    "zero-mean normal, N(0, 0.05^2)": normal(std=0.05),
    "zero-mean uniform, U(-0.05, 0.05)": uniform(bound=0.05),
    "Xavier normal, N(0, 2 / (n_i + n_j))": glorot_normal(),
    "He normal, with the article's max: N(0, 2 / max(n_i, n_j))": he_normal(fan="max"),
}


class SimpleNN(keras.Model):  # type: ignore[misc]  # Keras is untyped
    """Two hidden layers, and one unit a digit."""

    def __init__(self, kernel_initializer: object) -> None:
        super().__init__()
        self.hidden1 = keras.layers.Dense(
            128, activation="relu", kernel_initializer=kernel_initializer
        )
        self.hidden2 = keras.layers.Dense(
            64, activation="relu", kernel_initializer=kernel_initializer
        )
        self.output_layer = keras.layers.Dense(
            10, activation="softmax", kernel_initializer=kernel_initializer
        )

    def call(self, inputs: object) -> object:
        """Probabilities of the digits."""
        return self.output_layer(self.hidden2(self.hidden1(inputs)))


def stds(model: SimpleNN) -> str:
    """The std of each kernel."""
    layers = (model.hidden1, model.hidden2, model.output_layer)
    return ", ".join(f"{layer.kernel.numpy().std():.4f}" for layer in layers)


def train(model: SimpleNN, images: np.ndarray, labels: np.ndarray) -> None:
    """A few steps, and what they reach."""
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    before = model.evaluate(images, labels, verbose=0)[0]
    model.fit(images, labels, batch_size=64, epochs=3, verbose=0, shuffle=False)
    after, accuracy = model.evaluate(images, labels, verbose=0)
    print(f"loss {before:.3f} -> {after:.3f}, accuracy {accuracy:.1%} after 3 epochs")
    if not after < before:
        raise SystemExit("the loss did not fall")


def main() -> None:
    """Train the network from each start."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    for name in ("glorot_uniform", "he_uniform"):
        print(f"\nkernel_initializer={name!r}")
        model = SimpleNN(initializers.get(name))
        model(images[:1])  # builds it
        print(f"stds of the kernels: {stds(model)}")
        train(model, images, labels)
    for name, scheme in LAWS.items():
        print(f"\n{name}")
        model = SimpleNN("glorot_uniform")
        model(images[:1])  # builds it
        before = stds(model)
        ledger = init_model_(model, scheme, seed=0)
        print(f"stds of the kernels: {before} before, {stds(model)} after")
        print(ledger.table(measure_model(model, ledger)))
        train(model, images, labels)


if __name__ == "__main__":
    main()
