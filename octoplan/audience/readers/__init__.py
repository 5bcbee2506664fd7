"""Every kind of source of contacts, behind one port."""
