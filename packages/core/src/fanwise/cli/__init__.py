"""The command `python -m`: plan, initialize and explain from the shell."""
