# Pushes 200 jobs of all the kinds that a forge pushes and tells what must become of each, by its id.
# Given: PULLS and PUSHES, mirrors that work; BROKEN_PULLS and BROKEN_PUSHES, whose far side is not there.

class UpdateMirror
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

class RemoteMirror
  include Sidekiq::Worker
  sidekiq_options queue: "mirrors"
end

module Forge
  class NobodysJob
    include Sidekiq::Worker
    sidekiq_options queue: "mirrors"
  end
end

NO_MIRROR = { "error_class" => "ArgumentError" }
NO_CLASS = { "error_class" => "NameError", "error_message" => "uninitialized constant Forge::NobodysJob" }
FAILED = { "error_class" => "Sidemirror::UpdateError" }

FATES = {}

def push(fate, worker, args, options = {}, **expected)
  FATES[worker.set(options).perform_async(*args)] = { "fate" => fate, "queue" => "mirrors" }.merge(*expected.values)
end

# Mirrors that work, once each: a second job would be put off while the first one runs.
PULLS.each { |id| push("done", UpdateMirror, [id]) }
PUSHES.each { |id| push("done", RemoteMirror, [id.to_s]) }
# Mirrors that do not exist any more.
30.times { |n| push("done", UpdateMirror, [800_000 + n]) }
30.times { |n| push("done", RemoteMirror, ["#{810_000 + n}", 1_700_000_000.0, { "tries" => 0, "größe" => nil }]) }
# Arguments that name no mirror, under all options there are.
10.times { |n| push("retry", UpdateMirror, ["group/project-#{n}", "é/\u2028"], {}, error: NO_MIRROR) }
10.times { push("retry", RemoteMirror, [], { retry: 3, backtrace: true, tags: %w[mirror größe] }, error: NO_MIRROR) }
10.times { push("retry", UpdateMirror, [nil], { backtrace: 2, "cattr" => { "user" => 1 } }, error: NO_MIRROR) }
10.times { push("dropped", RemoteMirror, [-1], { retry: false }) }
15.times { push("dead", UpdateMirror, [{ "id" => 1 }], { retry: 0, backtrace: 1 }, error: NO_MIRROR) }
10.times { push("dropped", RemoteMirror, [1.5], { retry: 0, dead: false }) }
15.times { push("retry", UpdateMirror, ["x"], { retry_queue: "patience" }, error: NO_MIRROR, to: { "queue" => "patience" }) }
# Mirrors whose far side is not there.
BROKEN_PULLS.each { |id| push("retry", UpdateMirror, [id], { backtrace: true }, error: FAILED) }
BROKEN_PUSHES.each { |id| push("dead", RemoteMirror, [id], { retry: 0, backtrace: 2 }, error: FAILED) }
# A class that nobody serves.
10.times { |n| push("retry", Forge::NobodysJob, [n], {}, error: NO_CLASS) }
5.times { |n| push("dead", Forge::NobodysJob, [n], { retry: 0 }, error: NO_CLASS) }
# In bulk.
done = Sidekiq::Client.push_bulk("class" => UpdateMirror, "args" => (1..20).map { |n| [820_000 + n] })
failing = Sidekiq::Client.push_bulk("class" => RemoteMirror, "args" => [["x"]] * 5, "retry" => true)
done.each { |jid| FATES[jid] = { "fate" => "done" } }
failing.each { |jid| FATES[jid] = { "fate" => "retry", "queue" => "mirrors" }.merge(NO_MIRROR) }

FATES
