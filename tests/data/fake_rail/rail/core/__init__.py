"""RAIL has a core; its namespace alone says nothing."""
