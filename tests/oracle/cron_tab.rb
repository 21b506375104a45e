# Does something with our entry, and says what the cron tab shows then.
require "sidekiq-cron"
Sidekiq.logger.level = Logger::WARN

def find
  Sidekiq::Cron::Job.find("NAME")
end

job = find
ACT

{
  "all" => Sidekiq::Cron::Job.all.map { |job|
    {
      "name" => job.name, "class" => job.klass, "cron" => job.cron, "status" => job.status, "valid" => job.valid?,
      "message" => JSON.parse(job.message), "history" => job.jid_history_from_redis,
      "last_enqueued_ago" => job.last_enqueue_time && Time.now - job.last_enqueue_time
    }
  }
}
