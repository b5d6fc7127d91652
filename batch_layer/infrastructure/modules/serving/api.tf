# The HTTP API: who may ask is decided here, before the function is called.
resource "aws_apigatewayv2_api" "this" {
  name          = local.name
  description   = "Condvest: bars, instruments and how they came to be; read only"
  protocol_type = "HTTP"
  tags          = local.tags
}

resource "aws_apigatewayv2_integration" "this" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.this.arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.access == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = try(var.jwt.issuer, null)
    audience = try(var.jwt.audience, null)
  }

  lifecycle {
    precondition {
      condition     = var.jwt != null
      error_message = "access = \"jwt\" needs jwt: the issuer's URL and the audiences."
    }
  }
}

# All there is to ask. There is one way in, and nobody unknown comes through it.
resource "aws_apigatewayv2_route" "all" {
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
  authorization_type = var.access == "jwt" ? "JWT" : "AWS_IAM"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

# The page's own files, which hold no data: a browser gets them before it can show the token that the page asks for. By IAM a
# browser can sign nothing, so there they are asked for as all else.
resource "aws_apigatewayv2_route" "page" {
  #checkov:skip=CKV_AWS_309:The page's scripts and styles are the same for everybody and hold no data
  for_each = var.access == "jwt" ? toset(["GET /", "GET /page/{proxy+}"]) : toset([])

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
  authorization_type = "NONE"
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of requests helps nobody; the retention is a variable
  name              = "/aws/apigateway/${local.name}"
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  # Without the query: a client of the vendor may have its key there.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      time     = "$context.requestTime"
      id       = "$context.requestId"
      source   = "$context.identity.sourceIp"
      caller   = "$context.identity.userArn$context.authorizer.claims.sub"
      method   = "$context.httpMethod"
      path     = "$context.path"
      status   = "$context.status"
      bytes    = "$context.responseLength"
      function = "$context.integration.status"
      error    = "$context.error.message$context.integration.error"
    })
  }
}
