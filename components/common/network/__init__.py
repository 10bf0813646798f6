"""The pretrained network: architecture, weights, conversion to LiteRT, bottlenecks.

Imports from `common`: base, untrusted, photos and dataset.
"""
