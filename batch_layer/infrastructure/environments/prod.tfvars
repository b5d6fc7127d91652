# Production: data are kept. deploy.sh refuses to act on prod until the account is named here.
environment    = "prod"
aws_account_id = ""
owner          = "condvest"
cost_centre    = "research"

alert_emails       = []
monthly_budget_usd = 45
protected          = true
final_snapshot     = true

# Backups and archive in a second region as well; docs/aws/cost.md says what it costs:
# backup_region = "ca-central-1"

database = {
  class               = "db.t4g.small"
  storage_gib         = 20
  largest_storage_gib = 200
  multi_az            = false # a standby in a second zone: docs/aws/cost.md says what it adds
  backup_days         = 14
}
