"""The pixels of one photo.

Its type, decoding, colours, perceptual hash and thumbnail.

Imports from `common`: no other room.
"""
