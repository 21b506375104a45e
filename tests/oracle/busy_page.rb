# What Sidekiq's "Busy" page shows: the processes, and what each of their threads is doing.
{
  "processes" => Sidekiq::ProcessSet.new.map do |process|
    fields = %w[hostname pid started_at queues concurrency busy beat quiet rss rtt_us].to_h { |key| [key, process[key]] }
    fields.merge("identity" => process.identity, "tag" => process.tag, "labels" => process.labels,
                 "stopping" => process.stopping?)
  end,
  "concurrency" => Sidekiq::ProcessSet.new.total_concurrency,
  "work" => Sidekiq::Workers.new.map do |process, thread, work|
    # Before 7 it was a hash.
    work = Struct.new(:queue, :run_at, :job).new(work["queue"], work["run_at"], Sidekiq::JobRecord.new(work["payload"])) if work.is_a?(Hash)
    job = work.job
    { "process" => process, "thread" => thread, "queue" => work.queue, "run_at" => work.run_at.to_i,
      "class" => job.display_class, "jid" => job.jid }
  end
}
