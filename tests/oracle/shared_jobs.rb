# Pushes the jobs of a forge into one queue, for nobody yet: five that will hold Ruby's threads at the gate, then twenty
# RailsJobs among as many jobs of ours, then all the others in one shuffled heap.

def rails(number)
  { "class" => "RailsJob", "args" => [number, "größe/\u2028", { "a" => 1.0 }], "retry" => false, "queue" => "shared" }
end

def mirror(number)
  { "class" => %w[UpdateMirror RemoteMirror][number % 2], "args" => [900_000 + number], "queue" => "shared" }
end

chance = Random.new(1)
jobs = (-5..-1).map { |number| rails(number) }
jobs += ((1..20).map { |n| rails(n) } + (1..20).map { |n| mirror(n) }).shuffle(random: chance)
jobs += ((21..975).map { |n| rails(n) } + (21..200).map { |n| mirror(n) }).shuffle(random: chance)
jobs.each { |job| Sidekiq::Client.push(job) }
jobs.size
