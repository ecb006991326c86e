"""Mail to the addresses of a channel, in an SMTP dialogue within a deadline."""
