# The functions: two fetchers outside the network (vendor -> archive) and the loader inside it (archive -> PostgreSQL).
locals {
  tags = merge({ component = "fetching" }, var.tags)

  # The namespace of the metrics that the functions write into their logs.
  metrics_namespace = "Condvest/${var.name_prefix}"

  environment = {
    CONDVEST_ARCHIVE             = var.archive.uri
    CONDVEST_PROVIDER            = var.vendor.provider
    POWERTOOLS_METRICS_NAMESPACE = local.metrics_namespace
    POWERTOOLS_LOG_LEVEL         = "INFO"
  }

  fetcher_environment = {
    CONDVEST_MASSIVE_SECRET = var.vendor.secret_arn
    CONDVEST_MASSIVE_PLAN   = var.vendor.plan
  }

  # Memory is also CPU: 1,769 MB make one vCPU. A whole session is about 12,500 rows. The lists of instruments are some 32
  # pages and more each year, and the free plan allows five calls a minute: 45 calls take 490 s, and 900 s, the most that
  # Lambda gives, hold 75 (tests/unit/aws/test_night_fits.py). The time is billed as it is used.
  fetchers = {
    for name, timeout in { daily_ohlcv_fetcher = 300, daily_meta_fetcher = 900 } :
    name => { role = "fetcher", memory = 512, timeout = timeout, concurrency = 1, environment = local.fetcher_environment }
  }
  loaders = var.loader == null ? {} : {
    archive_loader = {
      role        = "loader", memory = 1024, timeout = 300, concurrency = var.reserved_concurrency
      environment = { CONDVEST_DATABASE_URL = var.loader.database_url, CONDVEST_DATABASE_IAM = "true" }
    }
  }
  functions = merge(local.fetchers, local.loaders)
  names     = { for key, function in local.functions : key => "${var.name_prefix}-${replace(key, "_", "-")}" }

  publish_layer = length(var.lambda_layer_arns) == 0 && var.layer_package != null
  layer_arns    = local.publish_layer ? aws_lambda_layer_version.dependencies[*].arn : var.lambda_layer_arns
}

resource "aws_lambda_layer_version" "dependencies" {
  count = local.publish_layer ? 1 : 0

  layer_name               = "${var.name_prefix}-batch-dependencies"
  description              = "sha256:${var.layer_package.sha256}"
  filename                 = var.layer_package.path
  source_code_hash         = filebase64sha256(var.layer_package.path)
  compatible_runtimes      = [var.runtime.name]
  compatible_architectures = [var.runtime.architecture]

  # Functions of an earlier deployment still name the earlier version, and a rollback needs it.
  skip_destroy = true
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of debugging logs helps nobody; the retention is a variable
  for_each = local.functions

  name              = "/aws/lambda/${local.names[each.key]}"
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One event passes one function; the correlation id in the logs tells the rest
  #checkov:skip=CKV_AWS_116:The failure destination keeps event, error and stack; a dead_letter_config would keep the event alone, twice
  #checkov:skip=CKV_AWS_117:The fetchers need the internet and not the database; inside the network they would need a NAT gateway
  #checkov:skip=CKV_AWS_173:The variables hold names and no secret
  #checkov:skip=CKV_AWS_272:deploy.sh builds, hashes and uploads in one run; the hash is checked below
  for_each = local.functions

  function_name = local.names[each.key]
  description   = "Condvest ${replace(each.key, "_", " ")}"
  role          = var.roles[each.value.role].arn
  handler       = "condvest.batch_layer.fetching.lambda_functions.${each.key}.handler"
  runtime       = var.runtime.name
  architectures = [var.runtime.architecture]
  layers        = local.layer_arns

  filename         = var.package.path
  source_code_hash = filebase64sha256(var.package.path)

  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = var.reserved_concurrency == -1 ? -1 : each.value.concurrency

  environment {
    variables = merge(local.environment, each.value.environment, { POWERTOOLS_SERVICE_NAME = each.key })
  }

  dynamic "vpc_config" {
    for_each = each.value.role == "loader" ? [var.loader] : []

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = [vpc_config.value.security_group_id]
    }
  }

  tags = local.tags

  lifecycle {
    precondition {
      condition     = filesha256(var.package.path) == var.package.sha256
      error_message = "The function package is not the one that was built (its sha256 differs): run deploy.sh ENV build."
    }
  }

  # Without these the function could start before it may write logs or reach the network.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.function, aws_iam_role_policy.network]
}

# Every asynchronous event: tried three times within six hours, then kept with its error; the loader's result goes to
# EventBridge, whose rule in the processing module starts the jobs when something changed.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.functions

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters[each.key].arn
    }

    dynamic "on_success" {
      for_each = each.value.role == "loader" ? [1] : []

      content {
        destination = local.event_bus_arn
      }
    }
  }
}

# What each role may do with what this module owns.
data "aws_iam_policy_document" "function" {
  for_each = toset([for function in local.functions : function.role])

  statement {
    sid     = "WriteLogs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      for key, function in local.functions : "${aws_cloudwatch_log_group.this[key].arn}:*" if function.role == each.key
    ]
  }

  statement {
    sid     = "KeepFailedEvents"
    actions = ["sqs:SendMessage"]
    resources = [
      for key, function in local.functions : aws_sqs_queue.dead_letters[key].arn if function.role == each.key
    ]
  }

  dynamic "statement" {
    for_each = each.key == "loader" ? [1] : []

    content {
      sid       = "TellResult"
      actions   = ["events:PutEvents"]
      resources = [local.event_bus_arn]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = data.aws_iam_policy_document.function

  name   = "function"
  role   = var.roles[each.key].name
  policy = each.value.json
}

# Lambda itself puts the loader's network interface into the subnets, under the loader's role. These actions take no
# resource that is known beforehand, so the star stands, and the second statement takes it from the function's own code.
data "aws_iam_policy_document" "network" {
  #checkov:skip=CKV_AWS_111:Network interfaces have no name before they exist; the code itself is denied below
  #checkov:skip=CKV_AWS_356:The same
  count = var.loader == null ? 0 : 1

  statement {
    sid = "LambdaMakesInterfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "CodeDoesNot"
    effect    = "Deny"
    actions   = ["ec2:*"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.function_arns["archive_loader"]]
    }
  }
}

resource "aws_iam_role_policy" "network" {
  count = var.loader == null ? 0 : 1

  name   = "network"
  role   = var.roles["loader"].name
  policy = data.aws_iam_policy_document.network[0].json
}
