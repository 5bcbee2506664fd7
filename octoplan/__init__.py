"""Plan, review and apply SMS campaigns from files in git."""

__version__ = "0.1.0"
