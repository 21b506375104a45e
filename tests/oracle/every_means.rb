# Pushes one job for each of the mirrors 1 to 16, each in another way that Sidekiq's client has.

class UpdateMirror
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

UpdateMirror.perform_async(1)
UpdateMirror.perform_in(1, 2)
UpdateMirror.perform_at(Time.now + 1, 3)
UpdateMirror.perform_bulk([[4], [5]])
UpdateMirror.set(queue: "patience").perform_async(6)
UpdateMirror.set(queue: "patience", retry: 3, tags: ["größe"]).perform_in(1, 7)
UpdateMirror.set(queue: :patience).perform_bulk([[8]])
UpdateMirror.set(wait: 1).perform_async(9)
Sidekiq::Client.push("class" => "UpdateMirror", "args" => [10], "queue" => "mirrors")
Sidekiq::Client.push("class" => UpdateMirror, "args" => ["11"], "at" => Time.now.to_f + 1)
Sidekiq::Client.push_bulk("class" => UpdateMirror, "args" => [[12], [13]], "at" => [Time.now.to_f + 1, Time.now.to_f + 1.5])
Sidekiq::Client.enqueue_to("patience", UpdateMirror, 14)
Sidekiq::Client.enqueue_to_in("patience", 1, UpdateMirror, 15)
Sidekiq::Client.enqueue_in(1, UpdateMirror, 16)
16
