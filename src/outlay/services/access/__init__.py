"""Who a caller is: sign-in, SSO, API keys and tokens."""
