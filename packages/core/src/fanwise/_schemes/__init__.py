"""Schemes: rules for initial weights, and the plans that they resolve to."""
