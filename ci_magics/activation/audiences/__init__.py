"""The Customer Match lists of an account, and what may be done with them."""
