# What a forge pushes: one job that takes for ever, one more for the same mirror, one that is done, and five that fail.
class UpdateMirror
  include Sidekiq::Job
  sidekiq_options queue: "mirrors", tags: ["nightly"]
end

class RemoteMirror
  include Sidekiq::Job
  sidekiq_options queue: "mirrors", backtrace: true
end

UpdateMirror.perform_async(1)
UpdateMirror.perform_async(1)
UpdateMirror.perform_async(2)
RemoteMirror.perform_async(3)
UpdateMirror.perform_async("to be killed", { "größe" => "<b>&</b>" })
UpdateMirror.perform_async("to be deleted")
RemoteMirror.set(retry: 0).perform_async(4)
UpdateMirror.set(retry: 0).perform_async("to be buried")
