"""What the event formats of log collectors (CEF, LEEF) have in common."""
