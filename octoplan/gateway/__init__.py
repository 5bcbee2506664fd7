"""The port to the SMS API and the HTTP client behind it."""
