"""Who may look: accounts, passwords, cookies, tokens of forms, roles, and sign-in elsewhere."""
