# A Sidekiq that writes down the bytes of each job it takes.

module KeepBytes
  def process(work)
    Sidekiq.redis { |redis| redis.rpush("taken", work.job) }
    super
  end
end
Sidekiq::Processor.prepend(KeepBytes)
