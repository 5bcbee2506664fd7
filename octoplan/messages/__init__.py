"""From recipients to texts, merge fields and batches."""
