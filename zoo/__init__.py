"""Other people's models, each planned whole: what is known of them, what is not, what is wrong.

``python -m zoo`` plans all and writes `docs/zoo.md`; `nox -s zoo` runs it. Each module has one
library's models; `judging` says what is held against what.
"""
