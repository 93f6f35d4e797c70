"""What the records answer: is a file intact, where does it come from, can it be made again."""
