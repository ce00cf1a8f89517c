"""Every wire format: what is recognised, what is read, what is answered."""
