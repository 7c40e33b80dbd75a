"""What is on a head and not of it: hair, facial hair, moles, scars, glasses."""
