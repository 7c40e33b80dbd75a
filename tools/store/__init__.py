"""FaceStore: faces kept and found again by what they look like. Begin at face_store.py; docs/store.md."""
