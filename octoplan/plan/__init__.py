"""What apply would do, what it costs, and why."""
