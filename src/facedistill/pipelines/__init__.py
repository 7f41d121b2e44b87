"""Whole runs, from a recipe to the report: of faces, and of image classifiers."""
