"""Models: recipes for whole models, and ledgers of what happens to each parameter."""
