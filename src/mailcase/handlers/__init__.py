"""One stimulus, one transaction: load, decide, save case, timeline, outgoing mail and outcome in one commit.

A stimulus each: `mail`, `command`, `tick`, `delivery`. All begin and commit by `transaction` and work on a
`workspace`. `mail` goes on with `arrival` (one mail), `matching` (which case) and `opening` (a new one); `read`, in
a `reading_process`, comes before it; `reports` and `filing` take what changes nothing. `notices` writes what must go
out, with `showing` and `post`; `chronicle` writes the log.
"""
