# What Sidekiq's API shows of the jobs that wait in the queue "ours".
queue = Sidekiq::Queue.new("ours")
{
  "size" => queue.size, "latency" => queue.latency,
  "jobs" => queue.map do |job|
    age = ->(time) { time && Time.now.to_f - time.to_f }
    { "jid" => job.jid, "class" => job.klass, "args" => job.args, "retry" => job["retry"], "tags" => job.tags,
      "created" => age.(job.created_at), "enqueued" => age.(job.enqueued_at) }
  end
}
