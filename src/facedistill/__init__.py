"""Distil a face-recognition teacher into a small student for low resolution."""
