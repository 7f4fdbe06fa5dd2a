"""Microsoft Entra: sign-in, tokens and their audiences."""
