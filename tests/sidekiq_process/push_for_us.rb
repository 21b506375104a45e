# Pushes ten jobs that succeed, two that fail and one that does not end; into the namespace ARGV[0] if there is one.
Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::WARN
if ARGV[0]
  require "redis-namespace"
  Sidekiq.configure_client { |config| config.redis = { url: ENV["REDIS_URL"], namespace: ARGV[0] } }
end

class Tested
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

10.times { |number| Tested.perform_async("ok", number, { "a" => 1.0 }) }
Tested.set(backtrace: true).perform_async("fail")
Tested.set(retry: 0).perform_async("fail")
Tested.perform_async("until told")
