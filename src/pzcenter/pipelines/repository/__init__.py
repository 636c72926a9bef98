"""The Butler repository of a site: making it, filling it, asking it."""
