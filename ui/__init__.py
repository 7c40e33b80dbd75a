"""Commands and pages; no maths."""
