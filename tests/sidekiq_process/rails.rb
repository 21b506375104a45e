# A small Rails side: what it enqueues, and what it runs itself.
require "sidekiq"
require "active_job"
# globalid 1.4 forgets to load it.
require "cgi"
require "globalid"

Redis.silence_deprecations = true if defined?(Redis)
GlobalID.app = "forge"
# Sidekiq 8 brings an adapter of its own, which a whole Rails application loads by itself.
adapter = File.join(Gem.loaded_specs["sidekiq"].full_gem_path, "lib/active_job/queue_adapters/sidekiq_adapter.rb")
require adapter if File.exist?(adapter)
ActiveJob::Base.queue_adapter = :sidekiq
ActiveJob::Base.logger = nil

class Project
  include GlobalID::Identification
  attr_reader :id

  def initialize(id) = @id = id
  def self.find(id) = new(id.to_i)
end

class Tested < ActiveJob::Base
  queue_as :a

  def perform(*arguments, **options)
    seen = [arguments.map { |argument| argument.is_a?(Project) ? argument.id : argument }, options]
    counted = [executions, exception_executions]
    Sidekiq.redis { |redis| redis.call("RPUSH", "seen", JSON.generate([seen, counted])) }
    raise IOError, "boom" if arguments.first == "fail for Rails"
  end
end

# Retried by Rails itself, three times in all.
class Patient < Tested
  retry_on IOError, wait: 0, attempts: 3
end

# What a test has to say.
eval(ENV["GIVEN"]) if ENV["GIVEN"]
