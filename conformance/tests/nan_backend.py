"""A backend whose values are, now and then, no numbers."""

from broken_backend import BrokenBackend


class NanBackend(BrokenBackend):
    """Every thousandth value is no number."""

    name = "nan"

    def draw(self, scheme, shape, axes, **options):
        """Draw one parameter."""
        drawn = super().draw(scheme, shape, axes, **options)
        drawn.ravel()[::1000] = float("nan")
        return drawn


backend = NanBackend()
