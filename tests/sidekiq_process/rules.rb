# Without this, the redis gem of 6.4 warns about nearly every command.
Redis.silence_deprecations = true if defined?(Redis)

# A job whose message is its first argument, and whose class answers to it as some classes do.
class Tested
  include Sidekiq::Worker

  sidekiq_retry_in do |_count, exception|
    case exception.message
    when "kill" then :kill
    when "discard" then :discard
    when "again in 1000 s" then 1000
    end
  end

  def perform(message, *)
    raise IOError, message
  end
end
