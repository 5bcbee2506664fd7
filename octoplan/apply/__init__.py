"""The send protocol: the only place from which a message can leave."""
