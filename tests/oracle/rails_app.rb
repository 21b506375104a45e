# A forge's own Sidekiq. It runs RailsJob, still has workers for mirrors, and writes down which it has run. RailsJobs of a number below 0 wait until the gate is open.

def ran(list, what)
  Sidekiq.redis { |redis| redis.rpush(list, what) }
end

class RailsJob
  include Sidekiq::Worker

  def perform(number, *)
    if number < 0
      ran("at_the_gate", number)
      sleep 0.01 until Sidekiq.redis { |redis| redis.get("gate") }
    end
    ran("rails_jobs_run", number)
  end
end

class UpdateMirror
  include Sidekiq::Worker

  def perform(id)
    ran("mirrors_run", "pull #{id}")
  end
end

class RemoteMirror
  include Sidekiq::Worker

  def perform(id)
    ran("mirrors_run", "push #{id}")
  end
end
