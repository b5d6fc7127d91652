# The settings of PostgreSQL that differ from RDS's own, each with its reason. The load: a few long-lived clients (the
# loader, a job of a few shards of one connection each), bulk writes once a night, range scans by instrument.
#
# `restart` makes the apply method pending-reboot. Static parameters need it. So does a parameter whose value here is, or may
# be, RDS's own default: RDS ignores such a request and keeps reporting pending-reboot, so "immediate" would show as a change
# in every plan (terraform-provider-aws, page db_parameter_group, "Problematic Plan Changes"; issue #39252 of the provider).
locals {
  parameters = {
    # Nothing unencrypted, whatever the client asks for. RDS's own default from PostgreSQL 15 on.
    "rds.force_ssl" = { value = "1", restart = true }

    # 8 shards, 2 loaders, RDS's own and a person; each connection costs about 10 MB of a 1 GiB instance.
    "max_connections" = { value = "60", restart = true }

    # Which statements take the time: the first question in every incident.
    "shared_preload_libraries" = { value = "pg_stat_statements", restart = true }
    "track_io_timing"          = { value = "1", restart = true } # the default of some families

    # kB. A shard sorts and hashes tens of thousands of rows: 16 MB keeps that in memory, and 60 connections are few.
    "work_mem" = { value = "16384" }
    # kB. Index builds of a migration and vacuum of a table of tens of millions of rows.
    "maintenance_work_mem" = { value = "131072" }

    # gp3 answers a random read about as fast as a sequential one, and many at once.
    "random_page_cost"         = { value = "1.1" }
    "effective_io_concurrency" = { value = "200" }

    # MB and s. A backfill writes gigabytes: spread its checkpoints.
    "max_wal_size"       = { value = "4096" }
    "checkpoint_timeout" = { value = "900" }

    # Every night appends to large tables: vacuum and analyse after 2 % instead of 20 %, so that plans stay right.
    "autovacuum_vacuum_scale_factor"        = { value = "0.02" }
    "autovacuum_vacuum_insert_scale_factor" = { value = "0.02" }
    "autovacuum_analyze_scale_factor"       = { value = "0.02" }

    # ms. A reclaimed Spot task may vanish inside a transaction: its locks must not outlive it by long.
    "idle_in_transaction_session_timeout" = { value = "300000" }
    # s. The same, for a peer that vanished without closing its socket.
    "tcp_keepalives_idle"     = { value = "60" }
    "tcp_keepalives_interval" = { value = "15" }
    "tcp_keepalives_count"    = { value = "4" }

    # ms. What the runbook looks at: slow statements, waits for locks, every spill to disk above 10 MB (kB).
    "log_min_duration_statement" = { value = "2000" }
    "log_lock_waits"             = { value = "1" }
    "log_temp_files"             = { value = "10240" }
    # Who was there, from where and for how long: the audit trail of a database with few clients.
    "log_disconnections" = { value = "1" }
    # Schema changes only; data statements would fill the log and hold prices.
    "log_statement" = { value = "ddl" }
  }
}

resource "aws_db_parameter_group" "this" {
  #checkov:skip=CKV2_AWS_30:log_statement is set, to ddl, and slow statements are logged by their duration
  name_prefix = "${local.identifier}-pg${var.engine_version}-"
  family      = "postgres${var.engine_version}"
  description = "PostgreSQL settings of ${local.identifier}"
  tags        = local.tags

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = try(parameter.value.restart, false) ? "pending-reboot" : "immediate"
    }
  }

  # A new major version needs a new group before the old one can go.
  lifecycle {
    create_before_destroy = true
  }
}
