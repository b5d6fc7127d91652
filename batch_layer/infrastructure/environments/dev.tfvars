# Development: the cheapest that holds the whole US market and logs in reliably; may be destroyed at any time.
environment    = "dev"
aws_account_id = "" # put in your account, and deploy.sh refuses any other
owner          = "condvest"
cost_centre    = "research"

alert_emails       = []
monthly_budget_usd = 22
protected          = false
final_snapshot     = false

database = {
  class       = "db.t4g.small"
  backup_days = 1
}

# Awake for the nights alone, from an hour before the first fetch until after the morning's sweeps: 75 hours a week instead
# of 168 (docs/aws/cost.md). By day: aws rds start-db-instance --db-instance-identifier condvest-dev-db
database_hours = {
  start = "cron(0 18 ? * MON-FRI *)"
  stop  = "cron(0 9 ? * TUE-SAT *)"
}
