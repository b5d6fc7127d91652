"""Edges on AWS Lambda."""
