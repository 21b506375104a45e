# A forge's Sidekiq that can do what its jobs ask for, and looks for due retries twice a second.

SETTINGS[:poll_interval_average] = 0.5

class UpdateMirror
  include Sidekiq::Worker

  def perform(*); end
end
