# A small network with no NAT gateway and no interface endpoint, since both cost money while everything sleeps:
# S3 is reached through the free gateway endpoint, and the jobs have public addresses with no inbound rule.
locals {
  create_network = var.network == null
  # A given network may have the endpoint already; then it names no route table.
  create_endpoint = local.create_network || try(length(var.network.route_table_ids) > 0, false)
  zones           = slice(data.aws_availability_zones.available.names, 0, 2)

  vpc_id             = local.create_network ? aws_vpc.this[0].id : var.network.vpc_id
  private_subnet_ids = local.create_network ? aws_subnet.private[*].id : var.network.private_subnet_ids
  public_subnet_ids  = local.create_network ? aws_subnet.public[*].id : var.network.public_subnet_ids
  route_table_ids = local.create_network ? concat(
    aws_route_table.private[*].id, aws_route_table.public[*].id
  ) : var.network.route_table_ids
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:Nothing may connect inwards and the database takes two security groups only; flow logs would cost more than they tell
  count = local.create_network ? 1 : 0

  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # RDS host names resolve to private addresses
  tags                 = merge(local.tags, { Name = var.name_prefix })
}

# The group that AWS gives to whatever names none: it lets nothing in or out.
resource "aws_default_security_group" "this" {
  count = local.create_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = "${var.name_prefix}-default-closed" })
}

resource "aws_internet_gateway" "this" {
  count = local.create_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = var.name_prefix })
}

resource "aws_subnet" "private" {
  count = local.create_network ? 2 : 0

  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.vpc_cidr, 2, count.index)
  availability_zone = local.zones[count.index]
  tags              = merge(local.tags, { Name = "${var.name_prefix}-private-${local.zones[count.index]}" })

  # A new zone of the region must not move what is there.
  lifecycle {
    ignore_changes = [availability_zone, tags["Name"]]
  }
}

# Addresses are given per job (assign_public_ip), never by the subnet.
resource "aws_subnet" "public" {
  count = local.create_network ? 2 : 0

  vpc_id                  = aws_vpc.this[0].id
  cidr_block              = cidrsubnet(var.vpc_cidr, 2, count.index + 2)
  availability_zone       = local.zones[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(local.tags, { Name = "${var.name_prefix}-public-${local.zones[count.index]}" })

  # A new zone of the region must not move what is there.
  lifecycle {
    ignore_changes = [availability_zone, tags["Name"]]
  }
}

resource "aws_route_table" "private" {
  count = local.create_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = "${var.name_prefix}-private" })
}

resource "aws_route_table" "public" {
  count = local.create_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = "${var.name_prefix}-public" })
}

resource "aws_route" "internet" {
  count = local.create_network ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "private" {
  count = local.create_network ? 2 : 0

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_route_table_association" "public" {
  count = local.create_network ? 2 : 0

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_vpc_endpoint" "s3" {
  count = local.create_endpoint ? 1 : 0

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids
  policy            = local.create_network ? data.aws_iam_policy_document.endpoint.json : null # a given network serves others too
  tags              = merge(local.tags, { Name = "${var.name_prefix}-s3" })
}

# Out of the network leads no way to anybody else's bucket, but to that of ECR, where the image's layers lie
# (https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html). IAM still says who may do what.
data "aws_iam_policy_document" "endpoint" {
  statement {
    sid       = "OwnBuckets"
    actions   = ["s3:*"]
    resources = flatten([for bucket in aws_s3_bucket.this : [bucket.arn, "${bucket.arn}/*"]])

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  statement {
    sid       = "LayersOfImages"
    actions   = ["s3:GetObject"]
    resources = ["arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

# The addresses of S3 in this region, whoever made the endpoint.
data "aws_ec2_managed_prefix_list" "s3" {
  name = "com.amazonaws.${local.region}.s3"
}

# Three groups and five rules say all that may talk to whom.
resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:The modules that use these groups attach them
  for_each = {
    database = "PostgreSQL: takes the loader and the jobs, starts no connection"
    loader   = "The loader function: to PostgreSQL and to S3, nothing else"
    jobs     = "Batch jobs: to PostgreSQL, and to AWS and the vendor over HTTPS; takes no connection"
  }

  name        = "${var.name_prefix}-${each.key}"
  description = each.value
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name_prefix}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = toset(["loader", "jobs"])

  security_group_id            = aws_security_group.this["database"].id
  description                  = "PostgreSQL from the ${each.key}"
  referenced_security_group_id = aws_security_group.this[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = toset(["loader", "jobs"])

  security_group_id            = aws_security_group.this[each.key].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.this["database"].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "loader_to_s3" {
  security_group_id = aws_security_group.this["loader"].id
  description       = "S3 through the gateway endpoint"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.s3.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_https" {
  security_group_id = aws_security_group.this["jobs"].id
  description       = "Image registry, logs, secrets and the vendor; AWS publishes no fixed addresses for them"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}
