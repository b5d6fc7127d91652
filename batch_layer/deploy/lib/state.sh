# shellcheck shell=bash
# Where Terraform's states lie: one bucket, one key for each environment and each component test.

# prod has the plain key, and so have component tests in dev, their home; every other one carries its environment.
state_key() {
  local place=batch-layer home=prod
  if [ "$TARGET" != all ]; then
    home=dev
  fi
  [ "$ENVIRONMENT" = "$home" ] || place="$place/$ENVIRONMENT"
  [ "$TARGET" = all ] || place="$place/components/$TARGET"
  printf '%s/terraform.tfstate\n' "$place"
}

check_state_bucket() {
  would "check that s3://$STATE_BUCKET is there for $(state_key)" && return
  aws s3api head-bucket --bucket "$STATE_BUCKET" --expected-bucket-owner "$ACCOUNT" \
    --region "$STATE_REGION" >/dev/null 2>"$(scratch)" && return
  if grep -q -e 403 -e Forbidden "$(scratch)"; then
    die "the bucket $STATE_BUCKET belongs to another account, or these credentials may not list it" \
      "bucket names are global: export CONDVEST_STATE_BUCKET=condvest-terraform-state-$ACCOUNT, then bootstrap"
  fi
  if grep -q -e 301 -e "Moved Permanently" "$(scratch)"; then
    die "the bucket $STATE_BUCKET lies in another region than $STATE_REGION" "export CONDVEST_STATE_REGION=its-region"
  fi
  die "there is no bucket $STATE_BUCKET for Terraform's state" "run: deploy.sh $ENVIRONMENT bootstrap"
}

# Can be run again at any time: each call brings one property to what it should be.
create_state_bucket() {
  step "Creating the bucket of Terraform's states"
  would "create s3://$STATE_BUCKET in $STATE_REGION: versioned, encrypted, private, TLS only" && return
  if ! aws s3api head-bucket --bucket "$STATE_BUCKET" --region "$STATE_REGION" >/dev/null 2>&1; then
    if [ "$STATE_REGION" = us-east-1 ]; then
      state_bucket create-bucket
    else
      state_bucket create-bucket --create-bucket-configuration "LocationConstraint=$STATE_REGION"
    fi
  fi
  state_bucket put-bucket-versioning --versioning-configuration Status=Enabled
  state_bucket put-public-access-block --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  state_bucket put-bucket-encryption --server-side-encryption-configuration \
    '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
  state_bucket put-bucket-policy --policy "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"TlsOnly\",
    \"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",
    \"Resource\":[\"arn:aws:s3:::$STATE_BUCKET\",\"arn:aws:s3:::$STATE_BUCKET/*\"],
    \"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}},
    {\"Sid\":\"NobodyDeletesStates\",\"Effect\":\"Deny\",\"Principal\":\"*\",
    \"Action\":[\"s3:DeleteBucket\",\"s3:DeleteObjectVersion\"],
    \"Resource\":[\"arn:aws:s3:::$STATE_BUCKET\",\"arn:aws:s3:::$STATE_BUCKET/*\"]}]}"
  # The lifecycle still ends old versions: twenty stay, and every one for three months.
  state_bucket put-bucket-lifecycle-configuration --lifecycle-configuration '{"Rules":[{"ID":"old-states",
    "Status":"Enabled","Filter":{},"NoncurrentVersionExpiration":{"NoncurrentDays":90,"NewerNoncurrentVersions":20},
    "AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}]}'
  state_bucket put-bucket-tagging --tagging "TagSet=[{Key=project,Value=$PROJECT},{Key=layer,Value=batch}]"
  say "s3://$STATE_BUCKET is ready"
}

state_bucket() {
  local call="$1"
  shift
  aws s3api "$call" --bucket "$STATE_BUCKET" --region "$STATE_REGION" "$@" >/dev/null 2>"$(scratch)" \
    || die "$call of $STATE_BUCKET failed: $(cat "$(scratch)")" \
      "bucket names are global and ca-west-1 must be switched on for the account: see docs/aws/deployment.md"
}
