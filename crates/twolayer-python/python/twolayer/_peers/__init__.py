"""What `twolayer.compare` sets beside this package: SciPy's minimisers, on derivatives of their own in NumPy."""
