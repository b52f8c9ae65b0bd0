"""Authentication of callers: sign-in, SSO, API keys and access tokens."""
