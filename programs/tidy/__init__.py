"""Tidying up: what a place holds, what may be deleted when, and deleting it by a rule."""
