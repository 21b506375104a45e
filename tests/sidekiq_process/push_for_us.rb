# Pushes ten jobs that succeed, two that fail and one that does not end.
Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::WARN

class Tested
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

10.times { |number| Tested.perform_async("ok", number, { "a" => 1.0 }) }
Tested.set(backtrace: true).perform_async("fail")
Tested.set(retry: 0).perform_async("fail")
Tested.perform_async("until told")
