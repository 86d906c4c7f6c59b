"""Draws: random sources, samplers, dtypes and streams: from a plan to an array."""
