"""Pages for people: rendered here, a little htmx, no other host is contacted."""
