"""What programs' and people's interfaces share: who asks, and which status an error has."""
