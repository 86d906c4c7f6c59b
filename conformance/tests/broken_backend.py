"""A backend whose normal law is a hundredth too wide."""

from fanwise_example_backend import ExampleBackend


class BrokenBackend(ExampleBackend):
    """A hundredth too wide, and another name."""

    name = "broken"

    def draw(self, scheme, shape, axes, **options):
        """Draw one parameter, too wide."""
        drawn = super().draw(scheme, shape, axes, **options)
        return (drawn * 1.05).astype("float32") if scheme["name"] == "normal" else drawn


backend = BrokenBackend()
