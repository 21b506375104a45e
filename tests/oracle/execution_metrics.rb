# What the page of metrics shows for the last hour.
require "sidekiq/metrics/query"

query = Sidekiq::Metrics::Query.new
totals = ->(result) { result.job_results.transform_values(&:totals) }
{
  "totals" => totals.(query.top_jobs),
  "totals_of_hours" => (totals.(query.top_jobs(hours: 1)) if Sidekiq::VERSION >= "8"),
  "histogram" => query.for_job("UpdateMirror").job_results["UpdateMirror"].hist.values.flatten.sum
}
