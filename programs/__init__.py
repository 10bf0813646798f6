"""What people start and is no step of the pipeline: one folder each.

They may import `components`; no step and nothing in `components/common/` imports them.
"""
