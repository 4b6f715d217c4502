"""What the case does: a pure decider. No I/O, no clock, no randomness, no logging, no async.

`decide(process, case, command)` answers with events or a refusal, `evolve(case, event)` applies one event,
`react(...)` says what must go out, `deadlines(process, case)` says which moments matter next. The events of a case are
its timeline; replaying them gives the stored case.
"""
