# Development: the cheapest that holds the whole US market; may be destroyed at any time.
environment    = "dev"
aws_account_id = "" # put in your account, and deploy.sh refuses any other
owner          = "condvest"
cost_centre    = "research"

alert_emails       = []
monthly_budget_usd = 25
protected          = false
final_snapshot     = false

database = {
  class       = "db.t4g.micro"
  backup_days = 1
}
