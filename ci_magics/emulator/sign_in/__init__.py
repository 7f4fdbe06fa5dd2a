"""Microsoft Entra: who signs in, and which service a token is for."""
