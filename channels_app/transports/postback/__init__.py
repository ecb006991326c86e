"""Postbacks: HTTP POST of JSON, signed by Standard Webhooks."""
