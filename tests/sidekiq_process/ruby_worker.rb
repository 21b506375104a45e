# A Sidekiq process of the forge: serves RubyJob and, as a forge does, our class too, and writes down what it ran.
Redis.silence_deprecations = true

class RubyJob
  include Sidekiq::Worker

  def perform(number, text)
    raise "changed" unless text == "é/\u2028"
    Sidekiq.redis { |redis| redis.sadd("ran_by_ruby", number) }
  end
end

class Tested
  include Sidekiq::Worker

  def perform(number, _text)
    Sidekiq.redis { |redis| redis.sadd("ours_ran_by_ruby", number) }
  end
end
