"""Webhooks: how an event is signed, which addresses it may go to, and how it is sent."""
