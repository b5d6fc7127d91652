"""The pure core: windows, folding, adjustment. NumPy columns in, NumPy columns out, no I/O."""
