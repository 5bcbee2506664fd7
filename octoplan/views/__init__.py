"""Plans, reports and problems as text or JSON."""
