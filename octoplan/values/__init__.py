"""Small values that check themselves: phone numbers, names, senders, amounts, sizes of a text."""
