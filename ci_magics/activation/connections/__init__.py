"""Connections to accounts: their consents, sign-ins, and Microsoft's services."""
