"""What a theft costs the thief and the provider, from prices and the lab's curves."""
