"""Fetching over HTTP: from public addresses only, politely, cached, resumed after a cut.

Imports from `common`: base, untrusted and photos.
"""
