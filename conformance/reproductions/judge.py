"""What is measured of a draw."""

import numpy as np


def std_over(array, expected):
    """The std over what it should be, to two digits."""
    return round(float(np.asarray(array).std() / expected), 2)


def worst_singular_value(matrix):
    """The singular value that is farthest from 1, to two digits."""
    values = np.linalg.svd(np.asarray(matrix), compute_uv=False)
    return round(float(values[np.abs(values - 1).argmax()]), 2)


def different(array):
    """How many values there are."""
    return len(np.unique(np.asarray(array)))


def outcome(call):
    """The error of a call, or that it drew."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "drawn"
