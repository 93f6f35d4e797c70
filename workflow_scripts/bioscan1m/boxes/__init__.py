"""Bounding boxes: their geometry, their table and their quality."""
