# Prints what Sidekiq's own API sees of our process and our sets.
Redis.silence_deprecations = true

def entry(job)
  { "class" => job.klass, "queue" => job.queue, "error_class" => job["error_class"],
    "error_message" => job["error_message"], "retry_count" => job["retry_count"], "backtrace" => job.error_backtrace }
end

stats = Sidekiq::Stats.new
puts JSON.generate(
  "processes" => Sidekiq::ProcessSet.new(false).map { |process|
    { "identity" => process.identity, "tag" => process.tag, "labels" => process.labels, "queues" => process["queues"],
      "concurrency" => process["concurrency"], "busy" => process["busy"] }
  },
  "workers" => Sidekiq::Workers.new.map { |_process, _thread, work|
    payload = work["payload"]
    payload = JSON.parse(payload) if payload.is_a?(String)
    { "queue" => work["queue"], "class" => payload["class"], "run_at" => work["run_at"] }
  },
  "processed" => stats.processed,
  "failed" => stats.failed,
  "retry" => Sidekiq::RetrySet.new.map { |job| entry(job) },
  "dead" => Sidekiq::DeadSet.new.map { |job| entry(job) }
)
