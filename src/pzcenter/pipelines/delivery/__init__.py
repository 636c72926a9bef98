"""Where the bytes are: landing zone, tiers, fast cache, and the package that leaves the house."""
