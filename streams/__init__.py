"""How access events get in and move."""
