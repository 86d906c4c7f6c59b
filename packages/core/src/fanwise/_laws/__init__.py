"""Laws: exact probability laws in Python floats, and the numerics behind them."""
