"""`python -m` entry of the command."""

from .cli.main import main

raise SystemExit(main())
