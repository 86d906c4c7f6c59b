"""Mistakes about mistakes."""

# a mutant's name says what it is; global state is the point

from __future__ import annotations

import numpy as np

from .catalogue import mutant
from .reference import Reference


class Plain(Reference):
    schemes = ("normal", "uniform", "he_normal")
    dtypes = ("float32",)
    transforms = ()


@mutant("wrong numbers are drawn", "a std that is no number", "errors/raised")
class Unchecked(Plain):
    def draw(self, scheme, shape, axes, **options):
        try:
            return super().draw(scheme, shape, axes, **options)
        except ValueError:
            if "std" not in scheme:
                raise
            return np.zeros(shape)


@mutant("another kind of error", "PyTorch's RuntimeError", "errors/raised")
class OtherKind(Plain):
    def check(self, *arguments):
        try:
            super().check(*arguments)
        except ValueError as error:
            raise RuntimeError(str(error)) from None


@mutant("errors that name nothing", "a bare assertion's text", "errors/named")
class Nameless(Plain):
    def check(self, *arguments):
        try:
            super().check(*arguments)
        except (TypeError, ValueError) as error:
            raise type(error)("invalid argument") from None


@mutant("drawn before it is checked", "a check of the result", "errors/before")
class DrawnBefore(Plain):
    def check(self, *arguments):
        state = np.random.get_state()
        np.random.random(3)
        super().check(*arguments)
        np.random.set_state(state)
