"""The namespace: the standard's functions that the core draws with, against array-api-strict.

Data APIs' own array-api-tests are in no package registry; these state the same for what is here.
"""

import array_api_strict as strict
import numpy as np
import pytest
import tensorflow as tf
from fanwise_tf import _namespace as xp

X = np.array([[0.5, -1.5, 2.0], [3.25, -0.25, 1.0]], np.float32)


def same(call, *arrays):
    """Whether a function of a namespace and arrays gives the same in both."""
    ours = call(xp, *(xp.asarray(array) for array in arrays))
    theirs = call(strict, *(strict.asarray(array) for array in arrays))
    assert str(ours.dtype.name) == str(theirs.dtype).rpartition(".")[2]
    np.testing.assert_allclose(ours.numpy(), np.asarray(theirs), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["exp", "sqrt", "log", "log1p", "cos", "sin", "abs"])
def test_elementwise(name):
    same(lambda n, x: getattr(n, name)(x), np.abs(X))


@pytest.mark.parametrize(
    "call",
    [
        lambda n, x: n.arange(5, dtype=n.int32),
        lambda n, x: n.arange(2, 9, 3, dtype=n.int64),
        lambda n, x: n.astype(x, n.float64),
        lambda n, x: n.broadcast_to(x, (4, 2, 3)),
        lambda n, x: n.clip(x, -1.0, 2.5),
        lambda n, x: n.concat([x, x], axis=1),
        lambda n, x: n.concat([x, x]),
        lambda n, x: n.eye(3, 4, dtype=n.float64),
        lambda n, x: n.eye(3, dtype=n.float32),
        lambda n, x: n.full((2, 3), 0.25, dtype=n.float64),
        lambda n, x: n.full((), 2.0, dtype=n.complex64),
        lambda n, x: n.linalg.diagonal(n.matrix_transpose(x)),
        lambda n, x: n.matrix_transpose(x),
        lambda n, x: n.minimum(x, n.abs(x)),
        lambda n, x: n.ones_like(x),
        lambda n, x: n.permute_dims(n.reshape(x, (1, 2, 3)), (2, 0, 1)),
        lambda n, x: n.reshape(x, (3, 2)),
        lambda n, x: n.where(x > 0, x, n.zeros_like(x)),
        lambda n, x: n.astype(n.abs(x), n.complex64) * 1j,
        lambda n, x: n.abs(n.astype(x, n.complex64)),
        lambda n, x: x[:, None, :] * 2.0 - 1,
        lambda n, x: x[(slice(0, 1), slice(1, 3))],
        lambda n, x: x[..., 0] / 3,
    ],
)
def test_functions_and_operators(call):
    same(call, X)


def test_copysign_sees_negative_zero():
    same(lambda n, x, y: n.copysign(x, y), X[0], np.array([-0.0, 0.0, -3.0], np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_qr(dtype):
    x = xp.astype(
        xp.asarray(np.random.default_rng(0).standard_normal((2, 4, 3))), tf.as_dtype(dtype)
    )
    q, r = xp.linalg.qr(x, mode="reduced")
    assert (q.shape, r.shape) == ((2, 4, 3), (2, 3, 3))
    np.testing.assert_allclose(tf.matmul(q, r).numpy(), x.numpy(), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finfo(dtype):
    ours, theirs = xp.finfo(getattr(xp, dtype)), strict.finfo(getattr(strict, dtype))
    assert (float(ours.eps), float(ours.max)) == (float(theirs.eps), float(theirs.max))


def test_devices():
    other = tf.config.list_logical_devices("CPU")[1].name
    for made in (xp.eye(2, device=other), xp.full((2,), 1.0, dtype=xp.float32, device=other),
                 xp.arange(3, device=other), xp.asarray([1.0], device=other)):  # fmt: skip
        assert made.device.endswith("CPU:1")
