"""What the mail says: from raw bytes to message, kind and clues. Pure: no I/O, no clock, no logging, and no exception
for any input.

`reading` makes the `message`: `structure` finds the parts, `headers` and `addresses` the fields, `contents`,
`charset` and `text` the words. `classify` and `bounce` (with `bounce_in_words` for reports in prose) say what `kind`
it is; `clues` which case it names, with `signing` for the names that only we can make. `limits` holds what any of
them may cost.
"""
