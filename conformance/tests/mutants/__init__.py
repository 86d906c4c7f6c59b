"""Broken backends, each a real mistake with its origin and the check that must catch it."""

from .catalogue import MUTANTS, Mutant
from .reference import Reference

__all__ = ["MUTANTS", "Mutant", "Reference"]
