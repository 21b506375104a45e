# Prints what Sidekiq's own API sees of the jobs that were pushed.
Redis.silence_deprecations = true

def fields(job)
  job.item.slice("class", "args", "retry", "tags", "enqueued_at", "at")
end

puts JSON.generate(
  "queues" => Sidekiq::Queue.all.map(&:name),
  "queued" => Sidekiq::Queue.new("mirrors").map { |job| fields(job).merge("latency" => job.latency) },
  "waiting" => Sidekiq::ScheduledSet.new.sort_by { |job| job.args[1] }.map { |job|
    fields(job).merge("due" => job.score, "due_in" => job.at - Time.now)
  }
)
