"""`python -m` entry of the command."""

from ._cli import main

raise SystemExit(main())
