# The job definitions: one image, one command each. Exit codes of condvest: 0 done, 1 failed, 2 wrong usage, 3 done in
# part (the ledger knows what is left and the next run takes it up), 75 passing failure, 143 stopped by SIGTERM.
locals {
  # 3 is a success for Batch. The shell stays process 1, so it hands SIGTERM on and waits: a reclaimed task has its
  # grace time. The trap is set first, or a signal during the start would be lost. The first wait ends with the trap,
  # the second gets the code of the command itself.
  run = <<-SHELL
    child= stopped=
    trap 'stopped=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
    condvest "$@" &
    child=$!
    [ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null
    code=0
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
    if [ "$code" -eq 3 ]; then exit 0; fi
    exit "$code"
  SHELL

  command = ["sh", "-c", local.run, "condvest"]

  environment = {
    AWS_REGION                   = data.aws_region.current.region
    POWERTOOLS_METRICS_NAMESPACE = "Condvest/${var.name_prefix}"
  }
  by_iam = { CONDVEST_DATABASE_URL = var.database.jobs_url, CONDVEST_DATABASE_IAM = "true" }

  # Each job acts under the role of its own name.
  jobs = {
    migrate = {
      arguments = ["db", "migrate"]
      environment = {
        CONDVEST_DATABASE_URL    = var.database.admin_url
        CONDVEST_DATABASE_SECRET = var.database.admin_secret_arn
      }
    }
    resample = {
      arguments   = ["resample"]
      environment = local.by_iam
    }
    backfill = {
      arguments = ["backfill", "--start", "Ref::start"] # submit-job --parameters start=2015-01-01
      environment = merge(local.by_iam, {
        CONDVEST_DATABASE_URL   = var.database.backfill_url
        CONDVEST_ARCHIVE        = var.archive_uri
        CONDVEST_PROVIDER       = var.vendor.provider
        CONDVEST_MASSIVE_PLAN   = var.vendor.plan
        CONDVEST_MASSIVE_SECRET = var.vendor.secret_arn
      })
    }
    publish = {
      arguments   = ["publish"]
      environment = merge(local.by_iam, { CONDVEST_PUBLISHED = var.published_uri })
    }
  }

  # Evaluated in this order; Batch takes five at most. What no line matches would be retried, so the last one exits.
  retries = [
    { action = "RETRY", on_status_reason = "Your Spot Task was interrupted*" }, # Fargate Spot took the host back
    { action = "RETRY", on_status_reason = "Task failed to start*" },           # no address, no image yet, no secret yet
    { action = "RETRY", on_exit_code = "75" },                                  # connection lost, vendor away
    { action = "RETRY", on_exit_code = "143" },                                 # stopped by SIGTERM
    { action = "EXIT", on_reason = "*" },
  ]
}

resource "aws_batch_job_definition" "this" {
  for_each = { for name, job in local.jobs : name => job if var.container_image != null }

  name                       = "${var.name_prefix}-${each.key}"
  type                       = "container"
  platform_capabilities      = ["FARGATE"]
  propagate_tags             = true
  deregister_on_new_revision = false # a running array keeps its revision
  tags                       = local.tags

  retry_strategy {
    attempts = 5

    dynamic "evaluate_on_exit" {
      for_each = local.retries

      content {
        action           = evaluate_on_exit.value.action
        on_status_reason = try(evaluate_on_exit.value.on_status_reason, null)
        on_exit_code     = try(evaluate_on_exit.value.on_exit_code, null)
        on_reason        = try(evaluate_on_exit.value.on_reason, null)
      }
    }
  }

  timeout {
    attempt_duration_seconds = var.job_sizes[each.key].timeout
  }

  container_properties = jsonencode(
    {
      image                  = var.container_image
      command                = concat(local.command, each.value.arguments)
      jobRoleArn             = var.roles[each.key].arn
      executionRoleArn       = var.roles["execution"].arn
      readonlyRootFilesystem = true

      # What backfill and publish write for themselves. The image declares the volume, so it is its user's to write to.
      # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
      volumes     = [{ name = "tmp" }]
      mountPoints = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]

      resourceRequirements = [
        { type = "VCPU", value = tostring(var.job_sizes[each.key].vcpu) },
        { type = "MEMORY", value = tostring(var.job_sizes[each.key].memory) },
      ]

      environment = [
        for name, value in merge(local.environment, each.value.environment, { POWERTOOLS_SERVICE_NAME = each.key }) :
        { name = name, value = value }
      ]

      # A public address instead of a NAT gateway; the security group takes no connection.
      networkConfiguration         = { assignPublicIp = "ENABLED" }
      fargatePlatformConfiguration = { platformVersion = "LATEST" }
      runtimePlatform = {
        operatingSystemFamily = "LINUX"
        cpuArchitecture       = var.architecture == "arm64" ? "ARM64" : "X86_64"
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = data.aws_region.current.region
          awslogs-stream-prefix = each.key
        }
      }
  })

  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.migrate]
}
