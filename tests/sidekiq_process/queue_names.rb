require "json"

process = Sidekiq::ProcessSet.new.first
puts JSON.generate("queues" => process["queues"])
