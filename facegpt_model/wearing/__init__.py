"""What a photographed face wears: hair, beard, glasses, age, seen by small read-outs on frozen nets."""
