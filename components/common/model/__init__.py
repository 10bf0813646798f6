"""The trained model: its files, predicting with it, "none of these", where it looked.

Imports from `common`: base, untrusted, photos, store, dataset and network.
"""
