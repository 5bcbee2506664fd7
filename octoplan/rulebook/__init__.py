"""Rules that are data: when, with what words and under which sender a message may go out, country by country."""
