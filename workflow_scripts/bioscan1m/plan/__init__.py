"""What a run is to do: its config, its manifest of chunks, and the same made from a user's own images."""
