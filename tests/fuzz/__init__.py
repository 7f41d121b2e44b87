"""Readers of foreign files, given files that nobody should write; see docs/developers/fuzzing.md."""
