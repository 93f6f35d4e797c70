"""Classifiers: trained, selected, tested, and set beside the published figures."""
