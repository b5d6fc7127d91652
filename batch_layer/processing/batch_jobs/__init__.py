"""Edges on AWS Batch."""
