"""From a path to a checked campaign that knows the place of every field."""
