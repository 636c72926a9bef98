"""Our own interface: OpenAPI, cursors, errors with stable codes, ETags."""
