"""What every network needs: a device, memory, weights and the state of an unfinished training."""
