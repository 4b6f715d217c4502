"""What the case does: a pure decider. No I/O, no clock, no randomness, no logging, no async.

`engine` is the way in: `decide(process, case, command)` answers with events or a refusal, `evolve(case, event)`
applies one event, `react(...)` says what must go out. The rules are the `table`, whose `guards` say when and whose
`consequences` say what follows; `assignment`, `sla` and `calendar` know who and until when; `deadlines` which moments
matter next. The events of a case are its timeline; replaying them gives the stored case.
"""
