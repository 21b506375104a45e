# A forge's Sidekiq that can do nothing.

class UpdateMirror
  include Sidekiq::Worker

  def perform(*)
    raise IOError, "the forge is down: größe \xff"
  end
end
