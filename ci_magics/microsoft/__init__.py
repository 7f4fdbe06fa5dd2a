"""The wire to Microsoft: sign-in, Microsoft Advertising, bulk uploads."""
