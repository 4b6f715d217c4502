"""What the mail says: from raw bytes to message, kind and clues. Pure: no I/O, no clock, no logging, and no exception
for any input.
"""
