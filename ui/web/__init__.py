"""The chat in a browser: Streamlit pages over the same conversations, threads and tools as the terminal."""
