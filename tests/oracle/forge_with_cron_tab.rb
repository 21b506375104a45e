# A forge's Sidekiq that serves no mirrors but pushes the jobs of its cron tab, every minute.

require "sidekiq/cron"

class UpdateMirror
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

SETTINGS[:cron_poll_interval] = 1

Sidekiq.configure_server do |config|
  config.on(:startup) do
    Sidekiq::Cron::Job.create(name: "of Sidekiq's class", cron: "* * * * *", class: "UpdateMirror", args: [1])
    # Its class is known to nobody there.
    Sidekiq::Cron::Job.create(
      name: "by name", cron: "* * * * *", klass: "RemoteMirror", args: [2], queue: "mirrors", description: "größe"
    )
  end
end
