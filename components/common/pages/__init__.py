"""The HTML and SVG that people look at; no other room makes any.

Imports from `common`: dataset.
"""
