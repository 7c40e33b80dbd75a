"""The conversation: binds the tools to a chat model and runs the loop; knows no pages."""
