"""The dataset artifact and what is known of its photos.

Manifest, shards, groups, parts, reasons, credits, and the decisions that a person made.

Imports from `common`: base, untrusted, photos and store.
"""
