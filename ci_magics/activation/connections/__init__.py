"""Accounts to send to: their connections, consents, sign-ins, and the services behind them."""
