# A small Rails application, a forge whose mirrors are updated by ActiveJobs. It pushes one job for each of the mirrors
# 1 to 8, each in another way that Rails has.

require "rails"
require "active_job/railtie"
require "sidekiq/rails"

module Forge
  class Application < Rails::Application
    config.eager_load = false
    config.logger = Logger.new(IO::NULL)
    config.secret_key_base = "x" * 64
    config.active_job.queue_adapter = :sidekiq
  end
end
Rails.application.initialize!

# A record, as far as its name goes, by which it is handed over.
class Project
  include GlobalID::Identification
  attr_reader :id

  def initialize(id)
    @id = id
  end
end

class UpdateMirror < ActiveJob::Base
  queue_as :mirrors

  def perform(*); end
end

UpdateMirror.perform_later(1)
UpdateMirror.perform_later("2")
UpdateMirror.perform_later(Project.new(3))
UpdateMirror.perform_later(Project.new(4), { reason: :push, "größe" => 1.5, at: Time.now }, force: true)
UpdateMirror.set(wait: 1).perform_later(5)
UpdateMirror.set(wait_until: Time.now + 1, queue: "patience").perform_later(Project.new(6))
UpdateMirror.new(7).enqueue(priority: 5)
bulk = [UpdateMirror.new(8)]
# Rails has that since 7.1.
ActiveJob.respond_to?(:perform_all_later) ? ActiveJob.perform_all_later(bulk) : bulk.each(&:enqueue)
8
