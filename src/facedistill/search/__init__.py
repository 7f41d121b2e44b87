"""The loop "train, validate, and if it misses the standard go back to the loss" (Hinton et al. 2015), as a search."""
