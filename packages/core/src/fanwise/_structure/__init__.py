"""The computation of a model as data, and what follows from it for its parameters."""
