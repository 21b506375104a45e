# A forge's Sidekiq that can do nothing, and looks twice a second what else it could try.

SETTINGS[:poll_interval_average] = 0.5

class UpdateMirror
  include Sidekiq::Worker

  def perform(*)
    raise IOError, "the forge is down: größe \xff"
  end
end
