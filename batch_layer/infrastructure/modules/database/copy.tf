# The automated backups in another region, where backup_region names one: the database can be restored there to any second
# (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html). What is encrypted needs a key of that
# region: RDS's own, which costs nothing, and which KMS makes when it is first asked for.
data "aws_kms_key" "copy" {
  count = var.backup_region == null ? 0 : 1

  region = var.backup_region
  key_id = "alias/aws/rds"
}

resource "aws_db_instance_automated_backups_replication" "this" {
  count = var.backup_region == null ? 0 : 1

  region                 = var.backup_region
  source_db_instance_arn = aws_db_instance.this.arn
  kms_key_id             = data.aws_kms_key.copy[0].arn
  retention_period       = var.backup_days
}
