# What holds for every environment. It is committed, so it holds no secret; environments/ENV.tfvars holds what differs.
project    = "condvest"
aws_region = "ca-west-1"

# What functions and jobs are built for, and run on. arm64 is about a fifth cheaper to run:
# runtime = { architecture = "arm64" }

# To hold the functions on one version of the layer instead of the newest that was built:
# lambda_layer_arns = ["arn:aws:lambda:ca-west-1:123456789012:layer:condvest-batch-dependencies:1"]
