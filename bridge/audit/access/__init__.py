"""Access control: accounts, roles, passwords, cookies, form tokens and sign-in with OpenID Connect."""
