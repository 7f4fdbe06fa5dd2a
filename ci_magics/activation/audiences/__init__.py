"""The Customer Match lists of an account: list, rename, empty and delete them."""
