"""Python client of a PZ Server: light, typed, sync and async."""
