"""Judges that nobody here wrote: every statement the project makes is one that they accept."""
