# A forge's Sidekiq that writes down the bytes of each job it takes, what it was told to do, and when.

SETTINGS[:poll_interval_average] = 0.5

module KeepBytes
  def process(work)
    Sidekiq.redis { |redis| redis.rpush("taken", work.job) }
    super
  end
end
Sidekiq::Processor.prepend(KeepBytes)

class ForgeJob
  include Sidekiq::Worker

  def perform(*args)
    Sidekiq.redis { |redis| redis.rpush("told", JSON.generate([jid, args, Time.now.to_f])) }
  end
end
