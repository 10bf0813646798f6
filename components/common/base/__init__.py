"""The ground that every other room stands on.

Errors with their exit status, wording, files that are whole or absent, the frame of a step,
ending on signals, threads.

Imports from `common`: no other room.
"""
