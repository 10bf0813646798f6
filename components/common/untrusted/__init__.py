"""Reading what a stranger wrote, within limits.

Sealed documents, tables, arrays and archives; and keeping secrets out of what we write.

Imports from `common`: base.
"""
