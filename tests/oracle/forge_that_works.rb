# A forge's Sidekiq that can do what its jobs ask for. It writes down the bytes of each job it takes, and looks for due
# retries twice a second.

SETTINGS[:poll_interval_average] = 0.5

module KeepBytes
  def process(work)
    Sidekiq.redis { |redis| redis.rpush("taken", work.job) }
    super
  end
end
Sidekiq::Processor.prepend(KeepBytes)

class UpdateMirror
  include Sidekiq::Worker

  def perform(*); end
end
