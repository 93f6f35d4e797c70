"""The metadata: validated, split, joined with the images, counted and described."""
