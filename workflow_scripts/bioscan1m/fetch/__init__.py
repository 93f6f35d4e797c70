"""Files from elsewhere: only the right one ever stands under its name."""
