"""Object storage: gs:// and s3://, and local paths, behind one interface.

Imports from `common`: base.
"""
