# Pushes ARGV[0] jobs for Ruby, never to be retried, and among them ARGV[1] for us, all into one queue.
Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::WARN

jobs = (1..ARGV[0].to_i).map { |number| ["RubyJob", number] } + (1..ARGV[1].to_i).map { |number| ["Tested", number] }
jobs.shuffle(random: Random.new(1)).each do |class_name, number|
  Sidekiq::Client.push("class" => class_name, "args" => [number, "é/\u2028"], "queue" => "shared", "retry" => false)
  Sidekiq.redis { |redis| redis.sadd("pushed_for_ruby", number) } if class_name == "RubyJob"
end
