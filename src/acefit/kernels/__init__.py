"""Numba functions on bare arrays; no objects, files or configuration here."""
