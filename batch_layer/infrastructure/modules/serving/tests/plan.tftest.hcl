# Planned against a mocked provider: no credentials, nothing is created. Run: terraform test
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name_prefix     = "condvest-test"
  alert_topic_arn = "arn:aws:sns:ca-west-1:123456789012:condvest-test-alerts"
  access          = "iam"
  package_bucket  = "condvest-test-published-123456789012"
  published_uri   = "s3://condvest-test-published-123456789012/published"
  role            = { name = "condvest-test-serve", arn = "arn:aws:iam::123456789012:role/condvest-test-serve" }

  # Any file will do for a plan; this one is its own package.
  package = { path = "tests/package.txt", sha256 = "b5ecfd301ae21bfe10cebc9236b790522c2197d592ee4fe717796c9ebb08a3da" }
}

run "asks_iam_about_every_request" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_route.all.authorization_type == "AWS_IAM"
    error_message = "nobody may ask without a signature"
  }

  assert {
    condition     = length(aws_apigatewayv2_route.page) == 0 && length(aws_apigatewayv2_authorizer.jwt) == 0
    error_message = "there must be one way in"
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0
    error_message = "the function must stay outside the network"
  }
}

run "asks_for_a_token_but_for_the_pages_files" {
  command = plan

  variables {
    access = "jwt"
    jwt    = { issuer = "https://issuer.example.com", audience = ["condvest"] }
  }

  assert {
    condition     = aws_apigatewayv2_route.all.authorization_type == "JWT"
    error_message = "data need a token"
  }

  assert {
    condition     = toset([for route in aws_apigatewayv2_route.page : route.route_key]) == toset(["GET /", "GET /page/{proxy+}"])
    error_message = "the page's own files must be the only ones that need none"
  }
}

run "refuses_jwt_without_an_issuer" {
  command = plan

  variables {
    access = "jwt"
  }

  expect_failures = [aws_apigatewayv2_authorizer.jwt]
}

run "refuses_a_token_for_everybody" {
  command = plan

  variables {
    access = "jwt"
    jwt    = { issuer = "https://issuer.example.com", audience = [] }
  }

  expect_failures = [var.jwt]
}

run "refuses_an_open_door" {
  command = plan

  variables {
    access = "none"
  }

  expect_failures = [var.access]
}

run "refuses_another_package" {
  command = plan

  variables {
    package = { path = "tests/package.txt", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [aws_s3_object.package]
}
