"""What keeps the repository true; nothing here is installed with the package."""
