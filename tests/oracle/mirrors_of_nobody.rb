# A forge's Sidekiq that takes its time with each job, and writes down which it took and which it has done.

module KeepJid
  def process(work)
    Sidekiq.redis { |redis| redis.rpush("ruby_took", JSON.parse(work.job)["jid"]) }
    super
  end
end
Sidekiq::Processor.prepend(KeepJid)

class UpdateMirror
  include Sidekiq::Worker

  def perform(*)
    sleep 0.005
    Sidekiq.redis { |redis| redis.rpush("ruby_did", jid) }
  end
end
