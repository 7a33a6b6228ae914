"""Whatever breaks: real processes, real Redis, the SQS protocol and a platform that keeps its own books.

`make faults` runs them. docs/faults.md says what F1 to F29 and the invariants I1 to I8 are.
"""
