"""Synthetic specimens in wells: input for the demo and the tests, so that the repository needs no photographs."""
