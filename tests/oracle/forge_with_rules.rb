# A forge's Sidekiq whose mirror workers fail on what ours fail on, in the same words, and whose dead set is as small.

# Where Ruby could not find a constant it draws the line of its own source into the message.
ErrorHighlight.formatter = Class.new { def self.message_for(_spot) = "" }

SETTINGS[:dead_max_jobs] = 50
SETTINGS[:max_retries] = 7

class UpdateMirror
  include Sidekiq::Worker

  def perform(*args)
    raise ArgumentError, "the job's first argument is not the number of a mirror, such as 42" unless args[0].is_a?(Integer)
  end
end
