"""Models: what the package asks of them, and what runs in this process."""
