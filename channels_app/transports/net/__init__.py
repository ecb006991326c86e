"""From a name to a connected socket, checked, within a deadline: what is under HTTP and SMTP alike."""
