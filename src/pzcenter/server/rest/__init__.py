"""Interfaces for programs: the first, which the client ``pzserver`` speaks, and the second, our own."""
