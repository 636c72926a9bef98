"""What may be done, and by whom. Functions take a session and a principal; they know nothing of HTTP."""
