"""What was sent: journal, ledger, lease and lock file."""
