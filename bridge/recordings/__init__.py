"""Recordings: the API calls of a session as its page has recorded them, to be shown, downloaded and played again."""
