output "endpoint" {
  description = "Address of the API."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "api_id" {
  description = "Id of the API; who may call it by IAM is allowed execute-api:Invoke on it."
  value       = aws_apigatewayv2_api.this.id
}

output "function" {
  description = "Name and ARN of the function."
  value       = { name = aws_lambda_function.this.function_name, arn = aws_lambda_function.this.arn }
}

output "log_groups" {
  description = "Log groups of the function and of the API's requests."
  value       = { function = aws_cloudwatch_log_group.function.name, access = aws_cloudwatch_log_group.access.name }
}
