"""The detector: annotated images in, a network that finds insects out, measured and drawn."""
