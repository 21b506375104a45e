# What Sidekiq's API reads in Redis: the figures, and every entry of the two sets of failures.
def entries(set)
  set.map do |entry|
    backtrace = entry["error_backtrace"]
    # Very old jobs have a list there, which the API does not read any more since 7.
    backtrace = entry.error_backtrace unless backtrace.is_a?(Array)
    {
      "value" => entry.value.unpack1("H*"), "score" => entry.score, "at" => entry.at.to_f,
      "class" => entry.klass, "queue" => entry.queue, "jid" => entry.jid, "tags" => entry.tags,
      "error_class" => entry["error_class"], "error_message" => entry["error_message"],
      "retry_count" => entry["retry_count"], "failed_at" => entry["failed_at"], "retried_at" => entry["retried_at"],
      "backtrace" => backtrace
    }
  end
end

stats = Sidekiq::Stats.new
{
  "processed" => stats.processed, "failed" => stats.failed, "enqueued" => stats.enqueued,
  "queues" => Sidekiq::Queue.all.to_h { |queue| [queue.name, queue.size] },
  "processed_today" => Sidekiq::Stats::History.new(1).processed.values.first,
  "failed_today" => Sidekiq::Stats::History.new(1).failed.values.first,
  "scheduled" => Sidekiq::ScheduledSet.new.size,
  "processes" => Sidekiq::ProcessSet.new.size, "busy" => Sidekiq::Workers.new.size,
  "retry" => entries(Sidekiq::RetrySet.new), "dead" => entries(Sidekiq::DeadSet.new)
}
