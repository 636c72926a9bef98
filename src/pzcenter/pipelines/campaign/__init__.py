"""A release produced step by step: graphs, executors, sequence points, restart."""
