"""Flags and environment in, one call, one view, an exit code out."""
