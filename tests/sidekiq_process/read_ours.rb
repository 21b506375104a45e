# Prints what Sidekiq's own API sees of our process and our sets, in the namespace ARGV[0] if there is one.
Redis.silence_deprecations = true
if ARGV[0]
  require "redis-namespace"
  Sidekiq.configure_client { |config| config.redis = { url: ENV["REDIS_URL"], namespace: ARGV[0] } }
end

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
  "queued" => Sidekiq::Queue.new("mirrors").size,
  "processed" => stats.processed,
  "failed" => stats.failed,
  "retry" => Sidekiq::RetrySet.new.map { |job| entry(job) },
  "dead" => Sidekiq::DeadSet.new.map { |job| entry(job) }
)
