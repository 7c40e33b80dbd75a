"""What a turn of the chat asks for: the table of intents, and what closed classes of words mean in it."""
