# A forge's Sidekiq that writes down what it was told to do, and when.

SETTINGS[:poll_interval_average] = 0.5

class ForgeJob
  include Sidekiq::Worker

  def perform(*args)
    Sidekiq.redis { |redis| redis.rpush("told", JSON.generate([jid, args, Time.now.to_f])) }
  end
end
