# What Sidekiq's own API sees in the quarantine, which GitLab's reliable fetcher reads in the same way.
Redis.silence_deprecations = true
jobs = Sidekiq::JobSet.new("interrupted").map do |job|
  { jid: job.jid, count: job["interrupted_count"], error: job["error_message"], score: job.score }
end
puts JSON.generate(jobs)
