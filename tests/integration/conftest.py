"""Fixtures of the functions on AWS, for the files that call them."""

from tests.support.lambdas import aws_endpoint, lambda_market, lambdas, s3, vendor

__all__ = ["aws_endpoint", "lambda_market", "lambdas", "s3", "vendor"]
