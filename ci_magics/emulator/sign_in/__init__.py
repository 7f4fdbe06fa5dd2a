"""Microsoft Entra: whoever signs in, and which service a token is for."""
