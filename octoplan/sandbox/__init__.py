"""A faithful local Octopush. It judges the client, so it shares no code with it."""
