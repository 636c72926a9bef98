"""Where a row comes from, and what a release would cost."""
