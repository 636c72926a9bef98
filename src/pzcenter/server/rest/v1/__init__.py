"""The interface of the existing server, call by call, so that its client works here unmodified."""
