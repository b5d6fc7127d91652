# The serving layer: an HTTP API, and behind it one function outside the network that reads the published data set. Nothing
# here costs anything while nobody asks.
locals {
  tags = merge({ component = "serving" }, var.tags)
  name = "${var.name_prefix}-serve"

  # What Lambda takes in one piece is 50 MB; the package is larger, and goes by way of a bucket.
  package_key = "functions/serving-${var.package.sha256}.zip"

  # Without https://, as a request names it.
  own_host = replace(aws_apigatewayv2_api.this.api_endpoint, "https://", "")
}

resource "aws_s3_object" "package" {
  #checkov:skip=CKV_AWS_186:Encrypted with S3's own key, as the bucket is; the package holds no secret
  bucket = var.package_bucket
  key    = local.package_key
  source = var.package.path
  # The key has the digest: other bytes are another object, and no object is altered.
  tags = local.tags

  lifecycle {
    precondition {
      condition     = filesha256(var.package.path) == var.package.sha256
      error_message = "The serving package is not the one that was built (its sha256 differs): run deploy.sh ENV build."
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of requests helps nobody; the retention is a variable
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One request passes one function; its id in the log tells the rest
  #checkov:skip=CKV_AWS_115:Who asks too much is turned away by the API's own limits, and a new account can reserve nothing
  #checkov:skip=CKV_AWS_116:Nobody calls it asynchronously, so there is no event to keep
  #checkov:skip=CKV_AWS_117:It reads S3 alone; inside the network it would wake with the network and see the database
  #checkov:skip=CKV_AWS_173:The variables hold names and no secret
  #checkov:skip=CKV_AWS_272:deploy.sh builds, hashes and uploads in one run; the hash is checked above
  function_name = local.name
  description   = "Condvest serve"
  role          = var.role.arn
  handler       = "condvest.serving_layer.aws.serve_function.handler"
  runtime       = var.runtime.name
  architectures = [var.runtime.architecture]

  s3_bucket        = aws_s3_object.package.bucket
  s3_key           = aws_s3_object.package.key
  source_code_hash = filebase64sha256(var.package.path)

  memory_size = var.memory
  timeout     = 29 # an HTTP API waits 30 s

  environment {
    variables = {
      CONDVEST_PUBLISHED   = var.published_uri
      CONDVEST_SERVE_HOSTS = join(",", concat([local.own_host], var.host_names))
      CONDVEST_HOME        = "/tmp/condvest"
    }
  }

  tags = local.tags

  # Without these the function could start before it may write logs.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = var.role.name
  policy = data.aws_iam_policy_document.function.json
}

resource "aws_lambda_permission" "api" {
  statement_id  = "HttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
