"""The loops: `inbox`, `due`, `outbox`. Each claims, works, settles; waits when there is nothing; never gives up.

Rules that hold here:
1. Whatever one row does to its handling, the loop goes on: the row is tried again or parked. So any exception is caught
   here; elsewhere only by `daemon` (a watcher that died is started again), `control` (a command that failed) and
   `handlers.delivery` (a start that reports what was interrupted).
2. A store that is out of reach is waited for with growing pauses; no attempt is counted for that, and what was in hand
   is given back before anything else is claimed.
3. A stop is an event: what is in hand is finished, what was not begun is given back.
"""
