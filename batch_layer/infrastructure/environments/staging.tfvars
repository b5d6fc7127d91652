# Staging: as prod, but it may be destroyed. Schedules are off: it runs when somebody tries something.
environment    = "staging"
aws_account_id = "" # put in your account, and deploy.sh refuses any other
owner          = "condvest"
cost_centre    = "research"

alert_emails       = []
monthly_budget_usd = 45
protected          = false
final_snapshot     = false
schedules_enabled  = false

database = {
  class       = "db.t4g.small"
  backup_days = 1
}
