"""From contacts to recipients: normalised, unique, not suppressed, in the one order."""
